import { type Kafka, type Reader, text, topic } from '@sluice/kafka'
import type { Place } from './source.ts'

/** Reads what is committed to topics while it is written, and notes what it saw. */
export class Follower implements AsyncDisposable {
  /** Partitions are counted through the topics. */
  readonly seen: Place[] = []
  readonly #reader: Reader
  readonly #running: Promise<void>

  static async open(kafka: Kafka, topics: readonly string[], partitions: number): Promise<Follower> {
    const reader = await kafka.reader({ topics: topics.map((name) => topic(name, { value: text })), follow: true })
    return new Follower(reader, topics, partitions)
  }

  private constructor(reader: Reader, topics: readonly string[], partitions: number) {
    this.#reader = reader
    this.#running = this.#run(topics, partitions)
    this.#running.catch(() => {})
  }

  /** It goes on until it has been closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.close()
    await this.#running
  }

  async #run(topics: readonly string[], partitions: number): Promise<void> {
    try {
      for await (const { topic, partition, offset } of this.#reader) {
        this.seen.push({ partition: topics.indexOf(topic) * partitions + partition, offset })
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'closed') throw error
    }
  }
}
