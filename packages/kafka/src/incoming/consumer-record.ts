import type { Compression } from '../batch/batch.ts'
import type { OriginalRecord, RetryFacts } from './original-record.ts'
import type { WireHeaders } from '../record/record.ts'
import type { FetchedBatch } from './fetched-batch.ts'

/** What a record takes in memory beside its bytes, and each of its headers. Measured on Node 24: 432 and 272 bytes. */
const recordOverheadBytes = 432
const headerOverheadBytes = 272

/** A record as a handler gets it. Bytes are views into the batch they came in: copy what outlives the handler. */
export class ConsumerRecord<K = unknown, V = unknown, Topic extends string = string> {
  readonly topic: Topic
  readonly partition: number
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestampMs: number
  readonly key: K
  readonly value: V
  readonly #headers: WireHeaders | undefined
  readonly #retry: RetryFacts | undefined
  // Until the record is finished: what of it was read keeps a whole fetch in memory.
  #rawKey: Buffer | null
  #rawValue: Buffer | null
  #batch: FetchedBatch | undefined

  /** For tests of handlers: `wire` is the record as it would have been read. */
  constructor(topic: Topic, partition: number, wire: OriginalRecord, key: K, value: V)
  /** @internal */
  constructor(topic: Topic, partition: number, wire: OriginalRecord, key: K, value: V, batch: FetchedBatch | undefined)
  constructor(topic: Topic, partition: number, wire: OriginalRecord, key: K, value: V, batch?: FetchedBatch) {
    this.topic = topic
    this.partition = partition
    this.offset = wire.offset
    this.timestampMs = wire.timestampMs
    this.key = key
    this.value = value
    this.#headers = wire.headers
    this.#retry = wire.retry
    this.#rawKey = wire.key
    this.#rawValue = wire.value
    this.#batch = batch
  }

  /** Decoded when first looked at. */
  get headers(): RecordHeaders {
    return this.#headers === undefined ? noHeaders : new RecordHeaders(this.#headers)
  }

  /** The key as it was read; null once the record is finished. */
  get rawKey(): Buffer | null {
    return this.#rawKey
  }

  /** The value as it was read; null once the record is finished. */
  get rawValue(): Buffer | null {
    return this.#rawValue
  }

  /**
   * Of the batch it was read in: tells it from another record of a log that was cut. -1 unknown, finished, or read from
   * a retry topic, whose batches say nothing of the topic that the record is from.
   */
  get leaderEpoch(): number {
    return this.#retry === undefined ? (this.#batch?.header.leaderEpoch ?? -1) : -1
  }

  /** @internal How the batch it was read in is compressed. Undefined once the record is finished. */
  static compressionOf(record: ConsumerRecord): Compression | undefined {
    return record.#batch?.header.compression
  }

  /** @internal What the retry topic said of it, where it was read there. */
  static retryOf(record: ConsumerRecord): RetryFacts | undefined {
    return record.#retry
  }

  /** @internal What the record and its headers take in memory beside their bytes. */
  static overheadOf(record: ConsumerRecord): number {
    const headers = record.#headers
    return headers === undefined ? recordOverheadBytes : recordOverheadBytes + headers.length * headerOverheadBytes
  }

  /** @internal The record is finished, and holds its batch no longer. Returns the batch, the first time. */
  static detach(record: ConsumerRecord): FetchedBatch | undefined {
    const batch = record.#batch
    record.#batch = undefined
    record.#rawKey = null
    record.#rawValue = null
    return batch
  }
}

/** Headers in the order they were written; a name may stand there more than once. */
export class RecordHeaders implements Iterable<readonly [name: string, value: Buffer | null]> {
  readonly #wire: WireHeaders

  /** For tests of handlers. */
  constructor(wire: WireHeaders) {
    this.#wire = wire
  }

  get size(): number {
    return this.#wire.length
  }

  /** The last one of this name, which is the one that counts in Kafka, as text. */
  get(name: string): string | undefined {
    return this.getBytes(name)?.toString()
  }

  /** The last one of this name; null where it has no value, undefined where there is none. */
  getBytes(name: string): Buffer | null | undefined {
    for (let index = this.#wire.length - 1; index >= 0; index--) {
      const [wireName, value] = this.#wire[index]!
      if (wireName.toString() === name) return value
    }
    return undefined
  }

  *[Symbol.iterator](): Generator<readonly [name: string, value: Buffer | null], void, undefined> {
    for (const [name, value] of this.#wire) yield [name.toString(), value]
  }

  /** As a plain object of text, the last of each name, for logs. */
  toJSON(): Record<string, string | null> {
    return Object.fromEntries([...this].map(([name, value]) => [name, value === null ? null : value.toString()]))
  }
}

const noHeaders = new RecordHeaders([])
