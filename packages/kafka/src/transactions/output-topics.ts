import { ConfigError, type Clock } from '@sluice/flow'
import { orAborted } from '@sluice/flow/internal'
import { Backoff } from '../async/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { missingPartition } from '../cluster/missing-partition.ts'
import { isUnknownTopic, topicError, unknownTopicGraceMs } from '../cluster/topic-error.ts'
import type { Output, OutputSource } from '../outgoing/output.ts'
import { RecordTooLargeError } from '../errors.ts'
import { AddedHeaders } from '../outgoing/added-headers.ts'
import { encodedBytes } from '../batch/encoded-bytes.ts'
import type { Compression } from '../batch/batch.ts'
import { compressions } from '../batch/compression.ts'
import { batchOverheadBytes } from '../batch/encode.ts'
import { encodeRecord } from '../outgoing/encode-record.ts'
import { PendingRecord } from '../outgoing/pending-record.ts'
import { requireTopic } from '../record/require-topic.ts'
import type { OutgoingRecord, TargetTopic } from '../record/record.ts'
import type { CarriedTrace } from '../tracing/trace-headers.ts'

/** The brokers' own limit where a topic has none, or may not be asked for it. */
const standardMaxBytes = 1_048_588
/** A view into a buffer that is larger than this is copied: it would keep all of it in memory. */
const ownedBytes = 16_384

/** How long a topic is asked for. Brokers that have just started know of none at first. */
const lookMs = 30_000

/** A partition beyond those that are known is asked for at most once in this time. */
const recountMs = 1_000

interface OutputTopic {
  readonly lookedAtMs: number
  readonly partitions: number
  /** The largest batch that it takes. */
  readonly maxBytes: number
  /** It is compacted: the broker refuses a record without a key. */
  readonly needsKey: boolean
  /** How far ahead of the broker's clock a record's timestamp may be, in ms. */
  readonly maxAheadMs: number
  /** How far behind it may be. */
  readonly maxBehindMs: number
  /** What the broker compresses batches with, where it does not leave them as they are. */
  readonly compression: Compression | undefined
}

/** Calls that ask about the same topic at the same time. */
interface Look {
  readonly done: Promise<void>
  readonly stop: AbortController
  waiting: number
}

export interface EncodeOptions {
  /** The time now, whatever the record's own. */
  readonly nowMs: number
  /** Of the batch that it is to be in. */
  readonly compression: Compression
  /** So near to a limit of time a record is refused as well: its transaction is written a while later. Default 0. */
  readonly marginMs?: number
  /** What it came of, where a handler returned it. */
  readonly source?: OutputSource
  /** The trace that it carries on. */
  readonly trace?: CarriedTrace | undefined
}

/** What is known of the topics that a transaction writes to, and the records that fit them. */
export class OutputTopics {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #known = new Map<string, OutputTopic>()
  readonly #looking = new Map<string, Look>()
  /** Of topics that refused a batch of several records: in bytes, how large the next may be. */
  readonly #narrowed = new Map<string, number>()
  readonly #added = new AddedHeaders({ traceId: false, timestamp: false, idempotencyKey: false })

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  isKnown(name: string): boolean {
    return this.#known.has(name)
  }

  /** Whether `look` has to come before `encode`: the topic is new, or may have got the record's partition meanwhile. */
  needsLook(name: string, partition: number | undefined): boolean {
    const known = this.#known.get(name)
    if (known === undefined) return true
    if (partition === undefined || !(partition >= this.partitions(name))) return false
    return this.#clock.monotonicMs() - known.lookedAtMs >= recountMs
  }

  maxBytes(name: string): number {
    return this.#known.get(name)?.maxBytes ?? standardMaxBytes
  }

  /** How large a batch of several records may be, before compression. */
  batchBytes(name: string): number {
    return Math.min(this.maxBytes(name), this.#narrowed.get(name) ?? Infinity)
  }

  /** It refused a batch, and nobody says which of its records is to blame: smaller ones tell. */
  narrow(name: string, batchBytes: number): void {
    this.#narrowed.set(name, batchBytes)
  }

  widen(name: string): void {
    this.#narrowed.delete(name)
  }

  /** As of the last answer that knew the topic: one that does not must not move keys to other partitions. */
  partitions(name: string): number {
    const topic = this.#cluster.topic(name)
    const known = this.#known.get(name)
    if (topic?.errorCode !== 0 || known === undefined) return known?.partitions ?? 0
    const { length } = topic.partitions
    if (length !== known.partitions) this.#known.set(name, { ...known, partitions: length })
    return length
  }

  /**
   * Asks the cluster about a topic, for some time: that it cannot be asked is not the fault of a record. Calls that
   * overlap ask once, and nobody asks on when the last of them has been given up.
   * @throws BrokerError where it does not exist; ConnectionError and the like; the signal's reason
   */
  async look(name: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const look = this.#looking.get(name) ?? this.#begin(name)
    look.waiting++
    try {
      await orAborted(look.done, signal)
    } finally {
      if (--look.waiting === 0) this.#end(name, look)
    }
  }

  #begin(name: string): Look {
    const stop = new AbortController()
    const look: Look = { done: this.#look(name, stop.signal), stop, waiting: 0 }
    look.done.catch(() => {})
    this.#looking.set(name, look)
    return look
  }

  /** It has ended, or nobody waits for it. */
  #end(name: string, look: Look): void {
    if (this.#looking.get(name) === look) this.#looking.delete(name)
    look.stop.abort()
  }

  async #look(name: string, signal: AbortSignal): Promise<void> {
    const startedAtMs = this.#clock.monotonicMs()
    const backoff = new Backoff(50, 1_000)
    for (;;) {
      let leftMs: number
      try {
        this.#known.set(name, await this.#ask(name))
        return
      } catch (error) {
        leftMs = startedAtMs + (isUnknownTopic(error) ? unknownTopicGraceMs : lookMs) - this.#clock.monotonicMs()
        if ((error as { retriable?: boolean }).retriable !== true || leftMs <= 0) throw error
      }
      await this.#clock.sleep(Math.min(backoff.nextMs(), leftMs), signal)
    }
  }

  async #ask(name: string): Promise<OutputTopic> {
    await this.#cluster.refresh([name])
    const found = this.#cluster.topic(name)
    if (found?.errorCode !== 0) throw topicError(name, found?.errorCode)
    const [described] = await this.#cluster.driver.admin.describeTopicConfigs([name])
    // Whoever may write need not be allowed to ask for settings.
    const configs = described?.errorCode === 0 ? described.configs : {}
    const maxBytes = Number(configs['max.message.bytes'])
    const isTimeOwn = configs['message.timestamp.type'] === 'CreateTime'
    const timeLimit = (side: string): number =>
      isTimeOwn ? Number(configs[`message.timestamp.${side}.max.ms`] ?? Infinity) : Infinity
    return {
      lookedAtMs: this.#clock.monotonicMs(),
      partitions: found.partitions.length,
      maxBytes: maxBytes > 0 ? maxBytes : standardMaxBytes,
      needsKey: configs['cleanup.policy']?.includes('compact') === true,
      maxAheadMs: timeLimit('after'),
      maxBehindMs: timeLimit('before'),
      compression: compressionOf(configs['compression.type']),
    }
  }

  /**
   * The record as it is written to a topic that is known. What the broker would refuse is refused here, where it fails
   * its record alone and not the transaction of all.
   * @throws EncodeError; RecordTooLargeError, by its size after compression; ConfigError for a partition that is not
   * there, a key that is missing, or a timestamp that the topic does not take
   */
  encode<K, V>(topic: TargetTopic<K, V>, record: OutgoingRecord<K, V>, options: EncodeOptions): Output {
    const { name } = requireTopic('topic', topic)
    const { nowMs, source, trace } = options
    const context = { maxRecordBytes: Infinity, nowMs, added: this.#added, trace }
    const encoded = encodeRecord(topic, record, context)
    this.require(name, encoded, options)
    return { topic: name, record: withOwnBytes(encoded), source }
  }

  /** @throws as `encode`, for a record that its topic does not take, as far as is known now */
  require(name: string, record: PendingRecord, options: EncodeOptions): void {
    this.#requireFitting(name, record, options.compression)
    const count = this.partitions(name)
    if (record.partition >= count) throw missingPartition(name, record.partition, count)
    if (this.#known.get(name)!.needsKey && record.key === null) {
      throw new ConfigError('key', null, `given: ${name} is compacted`)
    }
    this.#requireTime(name, record.timestampMs, options)
  }

  /** The limit is of a batch as it is written. Only what may pass it is compressed to be measured. */
  #requireFitting(name: string, record: PendingRecord, compression: Compression): void {
    const maxBytes = this.maxBytes(name)
    if (record.bytes + batchOverheadBytes <= maxBytes) return
    const others = this.#known.get(name)?.compression ?? compression
    const bytes = Math.max(...[...new Set([compression, others])].map((one) => encodedBytes(record, one)))
    if (bytes > maxBytes) throw new RecordTooLargeError(name, bytes, maxBytes)
  }

  #requireTime(name: string, timestampMs: number, { nowMs, marginMs = 0 }: EncodeOptions): void {
    const { maxAheadMs, maxBehindMs } = this.#known.get(name)!
    const aheadMs = timestampMs - nowMs
    if (aheadMs > maxAheadMs - Math.min(marginMs, maxAheadMs / 2)) {
      throw new ConfigError('timestampMs', timestampMs, `at most ${maxAheadMs} ms ahead, as ${name} demands`)
    }
    if (-aheadMs > maxBehindMs - Math.min(marginMs, maxBehindMs / 2)) {
      throw new ConfigError('timestampMs', timestampMs, `at most ${maxBehindMs} ms old, as ${name} demands`)
    }
  }
}

/** `producer`: as the producer did; `uncompressed` is another name for none. */
function compressionOf(type: string | null | undefined): Compression | undefined {
  return type === 'uncompressed' ? 'none' : compressions.find((one) => one === type)
}

/** What a handler passes on is a view into the batch that it came in, which is released before this is written. */
function withOwnBytes(record: PendingRecord): PendingRecord {
  const { key, value, headers, timestampMs, partition, priority } = record
  const isForeign = isView(key) || isView(value) || headers?.some(([, content]) => isView(content)) === true
  if (!isForeign) return record
  const ownHeaders = headers?.map(([name, content]) => [name, owned(content)] as const)
  return new PendingRecord(owned(key), owned(value), ownHeaders, timestampMs, partition, priority)
}

function isView(bytes: Buffer | null): boolean {
  return bytes !== null && bytes.buffer.byteLength > Math.max(ownedBytes, 2 * bytes.length)
}

const owned = (bytes: Buffer | null): Buffer | null => (isView(bytes) ? Buffer.from(bytes!) : bytes)
