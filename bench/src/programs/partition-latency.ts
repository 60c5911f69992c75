// One consumer of many partitions of one broker: how often it fetches when idle, and how soon single records arrive.
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, text, topic } from '@sluice/kafka'
import { answer, job } from '../in-process.ts'

export interface PartitionLatencyJob {
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  readonly idleSeconds: number
  /** Single records to random partitions. */
  readonly records: number
}

export interface PartitionLatencyResult {
  readonly fetchesPerSecond: number
  /** From `send` until the handler began, of each record that arrived, in milliseconds. */
  readonly latenciesMs: readonly number[]
}

/** Between two records, in the mean. */
const pauseMs = 25

const { bootstrap, topic: name, partitions, idleSeconds, records } = job<PartitionLatencyJob>()
const target = topic(name, { value: text })

await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench' })
await using producer = await kafka.producer({ lingerMs: 0 })
const latenciesMs: number[] = []
let isMeasured = false
await using consumer = await kafka.consumer({ group: `bench-${crypto.randomUUID()}`, topics: [target] })
const running = consumer.run(({ value }) => {
  if (isMeasured) latenciesMs.push(performance.now() - Number(value))
})

const fetches = (): number => {
  const brokers = consumer.inspect().fetcher?.brokers ?? []
  return brokers.reduce((sum, broker) => sum + broker.fetches, 0)
}
const send = (): Promise<unknown> =>
  producer.send(target, { value: `${performance.now()}`, partition: Math.floor(Math.random() * partitions) })
const sendAll = async (count: number): Promise<void> => {
  for (let sent = 0; sent < count; sent++) {
    await sleep(2 * pauseMs * Math.random())
    await send()
  }
  await sleep(500)
}

while ((consumer.inspect().fetcher?.brokers[0]?.partitions ?? 0) < partitions) await sleep(20)
await sleep(1_000)
const before = fetches()
await sleep(idleSeconds * 1_000)
const fetchesPerSecond = (fetches() - before) / idleSeconds
// Measured are compiled code and open connections.
await sendAll(records / 4)
isMeasured = true
await sendAll(records)
await consumer.close()
await running
answer({ fetchesPerSecond, latenciesMs } satisfies PartitionLatencyResult)
