import type { Kafka, Producer } from '@sluice/kafka'
import { amountOf, entriesOf, type Entry, keyOf } from '../../system/support/effects.ts'

/** Where an entry lies; its number is its place in the list of them. */
export interface Place {
  readonly partition: number
  readonly offset: number
}

/** A topic that entries are written to, numbered from 0, and the ledger of what was acknowledged. */
export class Source implements AsyncDisposable {
  readonly topic: string
  readonly places: Place[] = []
  readonly #producer: Producer

  static async open(kafka: Kafka, topic: string): Promise<Source> {
    return new Source(topic, await kafka.producer({ addHeaders: false, queue: { maxRecords: 10_000 } }))
  }

  private constructor(topic: string, producer: Producer) {
    this.topic = topic
    this.#producer = producer
  }

  /** Resolves when they are acknowledged. */
  async add(count: number): Promise<void> {
    const deliveries = this.#producer.sendAll(entriesOf(this.topic), entries(this.places.length, count))
    for await (const { partition, offset } of deliveries) this.places.push({ partition, offset })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.close()
  }
}

function* entries(from: number, count: number): Generator<{ key: string; value: Entry }> {
  for (let id = from; id < from + count; id++) yield { key: keyOf(id), value: { id, amount: amountOf(id) } }
}
