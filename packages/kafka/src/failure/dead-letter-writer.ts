import { ClosedError } from '@sluice/flow'
import type { Clock } from '@sluice/flow'
import { Admin } from '../admin/admin.ts'
import { Backoff } from '../backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { BrokerError, DeliveryError } from '../errors.ts'
import { Producer } from '../producer/producer.ts'
import type { TopicMetadata } from '../driver/driver.ts'
import type { HeadersInput } from '../record.ts'
import { rawTopic } from '../topic.ts'
import { deadLetterTopic } from './topic-names.ts'

/** A record that goes to the dead letter topic of its topic, or to its retry topic. */
export interface DeadLetterRecord {
  /** The topic that it was for. */
  readonly topic: string
  /** Where it was; the dead letter goes to the partition of the same number. -1: by its key. */
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: HeadersInput
  readonly timestampMs?: number
}

/** The facts of a failure are so much longer than the record, at most. */
const headersRoomBytes = 65_536
/** No broker takes a larger request by default, less what the request itself takes. */
const maxRecordBytes = 64 * 1_048_576

interface Attempts {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onFailure: (error: unknown) => void
}

/** For as long as it takes: each failure is told. @throws the signal's reason, told as well */
export async function untilDone<T>(attempt: () => Promise<T>, { clock, signal, onFailure }: Attempts): Promise<T> {
  const backoff = new Backoff(100, 5_000)
  for (;;) {
    signal.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      if (signal.aborted) throw signal.reason
      onFailure(error)
    }
    await clock.sleep(backoff.nextMs(), signal)
  }
}

/** The topic takes no records that are so old, or so far ahead. */
function isTimestampRefused(error: unknown): boolean {
  const cause = error instanceof DeliveryError ? error.cause : error
  return cause instanceof BrokerError && cause.apiError === 'INVALID_TIMESTAMP'
}

/** What one topic's dead letters need to know: its own partitions, and those of where they go. */
interface Target {
  readonly name: string
  readonly partitions: number
}

/**
 * Writes dead letters, by a producer of its own that is opened with the first; with another name for the topics, what is
 * to be retried.
 */
export class DeadLetterWriter {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #nameOf: (source: string) => string
  readonly #targets = new Map<string, Promise<Target>>()
  readonly #widenings = new Map<string, Promise<void>>()
  #producer: Promise<Producer> | undefined
  #closed = false

  constructor(cluster: Cluster, clock: Clock, nameOf: (source: string) => string = deadLetterTopic) {
    this.#cluster = cluster
    this.#clock = clock
    this.#nameOf = nameOf
  }

  /**
   * The topic that records of this one go to, made where there is none, with at least as many partitions.
   * @throws what keeps it from being made or described
   */
  async prepare(source: string): Promise<TopicMetadata> {
    const { name, partitions } = await this.#target(source)
    const wanted = this.#cluster.topic(source)?.partitions.length ?? 0
    if (partitions < wanted) {
      const widening = this.#widenings.get(source) ?? this.#widen(source, name, wanted)
      this.#widenings.set(source, widening)
      await widening
    }
    return this.#cluster.topic(name)!
  }

  async #widen(source: string, name: string, partitions: number): Promise<void> {
    try {
      await new Admin(this.#cluster, this.#clock).alterTopic(name, { partitions })
    } catch (error) {
      // Another process may have been faster: whoever finds the topic wide enough has what it wanted.
      await this.#cluster.refresh([name])
      if ((this.#cluster.topic(name)?.partitions.length ?? 0) < partitions) throw error
    } finally {
      this.#targets.delete(source)
      this.#widenings.delete(source)
    }
  }

  /**
   * Resolves when it is acknowledged. Tries until then, for as long as it takes: each failure is told, and so is the
   * signal's reason at the end.
   * @throws the signal's reason
   */
  async write(record: DeadLetterRecord, signal: AbortSignal, onFailure: (error: unknown) => void): Promise<void> {
    await untilDone(() => this.#writeOnce(record, signal), { clock: this.#clock, signal, onFailure })
  }

  async close(timeoutMs: number): Promise<void> {
    this.#closed = true
    const producer = await this.#producer?.catch(() => undefined)
    await producer?.close({ timeoutMs })
  }

  async #writeOnce({ partition, ...record }: DeadLetterRecord, signal: AbortSignal): Promise<void> {
    const target = await this.#target(record.topic)
    const producer = await this.#open()
    const { key, value, headers, timestampMs } = record
    const place = partition >= 0 && partition < target.partitions ? { partition } : {}
    const to = rawTopic(target.name)
    const letter = { key, value, headers, ...place }
    // -1: it has none. Its header keeps the original's.
    if (timestampMs === undefined || timestampMs < 0) return void (await producer.send(to, letter, { signal }))
    try {
      await producer.send(to, { ...letter, timestampMs }, { signal })
    } catch (error) {
      if (!isTimestampRefused(error)) throw error
      await producer.send(to, letter, { signal })
    }
  }

  #open(): Promise<Producer> {
    if (this.#closed) throw new ClosedError('the writer of dead letters')
    const limits = { maxRecordBytes, maxRequestBytes: maxRecordBytes, queue: { maxBytes: 2 * maxRecordBytes } }
    this.#producer ??= Producer.open(this.#cluster, {
      ...limits,
      addHeaders: false,
      lingerMs: 0,
      clock: this.#clock,
    }).catch((error: unknown) => {
      this.#producer = undefined
      throw error
    })
    return this.#producer
  }

  #target(source: string): Promise<Target> {
    let target = this.#targets.get(source)
    if (target === undefined) {
      target = this.#ensure(source)
      this.#targets.set(source, target)
      // One that failed is looked for anew.
      target.catch(() => this.#targets.delete(source))
    }
    return target
  }

  /** Makes the dead letter topic where there is none: as many partitions, and room for the headers. */
  async #ensure(source: string): Promise<Target> {
    const name = this.#nameOf(source)
    const admin = new Admin(this.#cluster, this.#clock)
    await this.#cluster.refresh([name])
    const known = this.#cluster.topic(name)
    if (known?.errorCode === 0) return { name, partitions: known.partitions.length }
    const [described] = await admin.describeTopics([source])
    const { partitions, configs } = described!
    const maxBytes = Number(configs['max.message.bytes'] ?? 1_048_588) + headersRoomBytes
    const spec = { name, partitions: partitions.length, configs: { 'max.message.bytes': String(maxBytes) } }
    await admin.createTopics([spec], { ifNotExists: true })
    return { name, partitions: this.#cluster.topic(name)?.partitions.length ?? partitions.length }
  }
}
