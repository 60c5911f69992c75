import type { Clock } from '@sluice/flow'
import type { Compression } from '../batch/batch.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { Producer } from '../producer/producer.ts'
import type { HeadersInput } from '../record/record.ts'
import { rawTopic } from '../record/topic.ts'
import { refusalOf } from '../failure/refusal.ts'

/** A letter on its way back. */
export interface ReplayedRecord {
  readonly topic: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: HeadersInput
  readonly partition?: number
}

/** Tried in this order: what is too large for its topic in one way may fit in another, as it did when it was sent first. */
const compressions: readonly Compression[] = ['lz4', 'zstd', 'gzip']

const largest = 96 * 1_048_576

/** Sends letters back, by producers that are opened when they are needed. */
export class ReplaySender implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #producers = new Map<Compression, Promise<Producer>>()

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  /** Resolves when there is room for more. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    const producer = await this.#open(compressions[0]!)
    if (producer.throttled) await producer.ready(signal)
  }

  /** Resolves when it is acknowledged. @throws DeliveryError and the like */
  async send({ topic, ...record }: ReplayedRecord): Promise<void> {
    let failure: unknown
    for (const compression of compressions) {
      const producer = await this.#open(compression)
      try {
        await producer.send(rawTopic(topic), record)
        return
      } catch (error) {
        failure = error
        if (refusalOf(error) !== 'too_large') break
      }
    }
    throw failure
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opening of this.#producers.values()) await (await opening.catch(() => undefined))?.close()
  }

  #open(compression: Compression): Promise<Producer> {
    let producer = this.#producers.get(compression)
    if (producer === undefined) {
      // A record that is sent again has its headers.
      const sizes = { maxRecordBytes: largest, maxRequestBytes: largest, queue: { maxBytes: 2 * largest } }
      const options = { ...sizes, compression, addHeaders: false, deadLetters: false, clock: this.#clock }
      producer = Producer.open(this.#cluster, options)
      this.#producers.set(compression, producer)
    }
    return producer
  }
}
