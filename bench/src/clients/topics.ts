import type { Kafka } from '@sluice/kafka'
import { inProcess } from '../in-process.ts'
import type { ClientJob, Measured } from './client.ts'

/** How much is measured at a time. */
export interface Settings {
  readonly records: number
  readonly backlog: number
  readonly maxSeconds: number
  readonly partitions: number
}

/** The topics of one run: one to send to each time, one to read from for each size. */
export class Topics {
  readonly #kafka: Kafka
  readonly #bootstrap: string
  readonly #settings: Settings
  readonly #backlogs = new Map<number, string>()
  readonly #prefix = `bench-clients-${Date.now()}`
  #created = 0

  constructor(kafka: Kafka, bootstrap: string, settings: Settings) {
    this.#kafka = kafka
    this.#bootstrap = bootstrap
    this.#settings = settings
  }

  async create(): Promise<string> {
    const name = `${this.#prefix}-${++this.#created}`
    await this.#kafka.admin().createTopics([{ name, partitions: this.#settings.partitions }])
    return name
  }

  async delete(name: string): Promise<void> {
    await this.#kafka.admin().deleteTopics([name])
  }

  /** A topic that holds the backlog in values of this size; written when first asked for. */
  async backlog(valueBytes: number): Promise<string> {
    const known = this.#backlogs.get(valueBytes)
    if (known !== undefined) return known
    const topic = await this.create()
    this.#backlogs.set(valueBytes, topic)
    const records = this.#settings.backlog
    const job: ClientJob = { bootstrap: this.#bootstrap, topic, valueBytes, records, maxSeconds: 600 }
    const filled = await inProcess<Measured>('client.ts', {
      ...job,
      client: 'sluice',
      task: 'produce',
      way: 'single sends, limits of 100,000',
    })
    if (filled.records < records)
      throw new Error(`only ${filled.records} of ${records} records were written to ${topic}`)
    return topic
  }

  async deleteAll(): Promise<void> {
    for (const topic of this.#backlogs.values()) await this.delete(topic)
  }
}
