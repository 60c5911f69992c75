import { ClosedError } from '@sluice/flow'
import type { Clock } from '@sluice/flow'
import type { Compression } from '../batch/batch.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { TopicMetadata } from '../driver/driver.ts'
import { Producer } from '../producer/producer.ts'
import { rawTopic } from '../record/topic.ts'
import { endsWithin } from '../async/within.ts'
import { deliverLetter, type LetterOptions, type LetterWay, type WrittenLetter } from './deliver-letter.ts'
import { LetterTopics } from './letter-topics.ts'
import { refusalOf } from '../failure/refusal.ts'
import { deadLetterTopic } from '../failure/topic-names.ts'
import type { DeadLetterRecord } from '../failure/dead-letter-record.ts'

export interface DeadLetterWriterOptions {
  /** The topic for what was meant for this one. Default: its dead letter topic. */
  readonly nameOf?: (source: string) => string
  /** As of the producer or consumer that it is for. Default true. */
  readonly tracing?: boolean | undefined
}

/**
 * Before compression: all that a consumer decodes by default, with its headers, and less than the largest request that
 * brokers take by default (`socket.request.max.bytes`, 100 MiB).
 */
const maxRecordBytes = 96 * 1_048_576

/** How often the topic of a letter that is not acknowledged is looked at. */
const lookMs = 2_000
/** What a producer may take beyond its time to give up what it has. */
const graceMs = 100

/**
 * Writes dead letters, by producers of its own that are opened with the first; with another name for the topics, what is
 * to be retried.
 */
export class DeadLetterWriter {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #topics: LetterTopics
  readonly #tracing: boolean | undefined
  readonly #producers = new Map<Compression, Promise<Producer>>()
  #closed = false

  constructor(cluster: Cluster, clock: Clock, { nameOf = deadLetterTopic, tracing }: DeadLetterWriterOptions = {}) {
    this.#cluster = cluster
    this.#clock = clock
    this.#tracing = tracing
    this.#topics = new LetterTopics(cluster, clock, nameOf)
  }

  get topics(): LetterTopics {
    return this.#topics
  }

  /**
   * The topic that records of this one go to, made where there is none, with at least as many partitions.
   * @throws what keeps it from being made or described
   */
  async prepare(source: string): Promise<TopicMetadata> {
    return await this.#topics.prepare(source)
  }

  /**
   * Resolves when it is acknowledged. What can pass is tried again until then, for as long as it takes.
   * @throws DeadLetterRefusedError for what no attempt can mend; the signal's reason
   */
  async write(record: DeadLetterRecord, options: LetterOptions): Promise<WrittenLetter> {
    const way: LetterWay<void> = {
      clock: this.#clock,
      nameOf: this.#topics.nameOf,
      send: (letter) => this.#send(letter, options.signal),
      widen: (source, form) => this.#topics.makeRoom(source, form),
    }
    const { letter } = await deliverLetter(record, way, options)
    options.onVisible?.(letter)
    return letter
  }

  async close(timeoutMs: number): Promise<void> {
    this.#closed = true
    const closing = Array.from(this.#producers.values(), async (opening) => {
      const producer = await opening.catch(() => undefined)
      await producer?.close({ timeoutMs })
    })
    // One that is still being opened has written nothing: it is not waited for, and closes when it is open.
    await endsWithin(this.#clock, Promise.all(closing), timeoutMs + graceMs)
  }

  async #send(
    { topic: source, partition, compression, ...record }: DeadLetterRecord,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const target = await this.#topics.target(source)
      const producer = await this.#open(compression ?? 'lz4')
      const place = partition >= 0 && partition < target.partitions ? { partition } : {}
      const sent = producer.send(rawTopic(target.name), { ...record, ...place }, { signal })
      // Its producer waits for a topic that was deleted to come back: nobody else makes it again.
      while (!(await endsWithin(this.#clock, sent, lookMs))) await this.#topics.remake(source).catch(() => {})
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined || refusal === 'partition') this.#topics.forget(source)
      throw error
    }
  }

  #open(compression: Compression): Promise<Producer> {
    if (this.#closed) throw new ClosedError('the writer of dead letters')
    const opened = this.#producers.get(compression)
    if (opened !== undefined) return opened
    const producer = Producer.open(this.#cluster, {
      maxRecordBytes,
      maxRequestBytes: maxRecordBytes,
      queue: { maxBytes: 2 * maxRecordBytes },
      compression,
      addHeaders: false,
      tracing: this.#tracing,
      lingerMs: 0,
      clock: this.#clock,
    })
    this.#producers.set(compression, producer)
    producer.catch(() => this.#producers.delete(compression))
    return producer
  }
}
