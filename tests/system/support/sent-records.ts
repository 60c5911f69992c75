import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery, DeliveryError, Producer, Topic } from '@sluice/kafka'
import { readWithJava } from './java.ts'

export interface SentRecord {
  readonly id: string
  readonly partition: number
  delivery?: Delivery
  error?: DeliveryError
}

/** Sends numbered records, `perMs` each millisecond, waiting where the producer is throttled, until it is stopped. */
export class RecordStream {
  readonly records: SentRecord[] = []
  #isStopped = false
  #running: Promise<void>

  constructor(producer: Producer, topic: Topic<string | null, string | null>, { partitions = 1, perMs = 1 } = {}) {
    this.#running = this.#run(producer, topic, partitions, perMs)
  }

  /** The moment the next record after now is acknowledged, at the latest in `timeoutMs`. */
  async nextDelivery(timeoutMs = 60_000): Promise<void> {
    const from = this.records.length
    const deadlineMs = performance.now() + timeoutMs
    while (!this.records.slice(from).some(({ delivery }) => delivery)) {
      if (performance.now() > deadlineMs) throw new Error(`nothing was delivered in ${timeoutMs} ms`)
      await sleep(10)
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(
    producer: Producer,
    topic: Topic<string | null, string | null>,
    partitions: number,
    perMs: number,
  ): Promise<void> {
    const settled: Promise<void>[] = []
    while (!this.#isStopped) {
      await producer.ready()
      for (let i = 0; i < perMs; i++) {
        const record: SentRecord = { id: String(this.records.length), partition: this.records.length % partitions }
        this.records.push(record)
        const { id, partition } = record
        settled.push(
          producer.send(topic, { value: id, partition }).then(
            (delivery) => void (record.delivery = delivery),
            (error: unknown) => void (record.error = error as DeliveryError),
          ),
        )
      }
      await sleep(1)
    }
    await Promise.all(settled)
  }
}

/** The ids in a topic by partition and offset, as Java's console consumer reads them. */
export async function idsInTopic(bootstrap: string, topic: string): Promise<Map<number, string[]>> {
  const format = ['print.partition=true', 'print.offset=true']
  const byPartition = new Map<number, string[]>()
  for (const line of await readWithJava(bootstrap, topic, { format })) {
    const [partition, offset, id] = line.split('\t') as [string, string, string]
    const ids = byPartition.get(Number(partition.split(':')[1])) ?? []
    byPartition.set(Number(partition.split(':')[1]), ids)
    ids[Number(offset.split(':')[1])] = id
  }
  return byPartition
}

/** What is wrong with a topic, given what its producer was told; nothing, it is hoped. */
export function findings(records: readonly SentRecord[], topic: ReadonlyMap<number, readonly string[]>): string[] {
  const found: string[] = []
  const times = new Map<string, number>()
  for (const ids of topic.values()) {
    for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1)
    const present = ids.filter((id) => id !== undefined).map(Number)
    if (present.some((id, index) => index > 0 && id <= present[index - 1]!))
      found.push(`out of order: ${present.join()}`)
  }
  for (const { id, partition, delivery, error } of records) {
    const count = times.get(id) ?? 0
    if (delivery && topic.get(partition)?.[delivery.offset] !== id) found.push(`${id} is not where it was delivered`)
    if (delivery ? count !== 1 : count > 1) found.push(`${id} is there ${count} times`)
    if (error?.outcome === 'refused' && count > 0) found.push(`${id} was refused, and is there`)
    if (!delivery && !error) found.push(`${id} was not settled`)
  }
  return found
}
