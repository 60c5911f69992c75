// One measurement of our consumer as Parallel Consumer is used, in a process of its own: what bench/java/parallel does
// in Java. Each record says by its value how many milliseconds of work it is.
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, text, topic } from '@sluice/kafka'
import { answer, job } from '../in-process.ts'

export interface ParallelJob {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  readonly order: 'partition' | 'key' | 'unordered'
  readonly concurrency: number
  readonly records: number
}

export interface ParallelMeasured {
  /** From subscribing to the end of the last record. */
  readonly inAllMs: number
  /** From the beginning of the first record to the end of the last. */
  readonly sinceFirstMs: number
}

const { bootstrap, topic: name, group, order, concurrency, records } = job<ParallelJob>()
const kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench' })
const source = topic(name, { key: text, value: text })
const handled = new Set<string>()
const { promise: done, resolve } = Promise.withResolvers<void>()
let firstMs: number | undefined

const subscribedMs = performance.now()
const consumer = await kafka.consumer({ group, topics: [source], reset: 'earliest', order, concurrency })
const running = consumer.run(async ({ partition, offset, value }) => {
  firstMs ??= performance.now()
  const ms = Number(value)
  if (ms > 0) await sleep(ms)
  handled.add(`${partition} ${offset}`)
  if (handled.size === records) resolve()
})
await Promise.race([done, running])
const lastMs = performance.now()
if (handled.size < records) throw new Error(`The consumer ended after ${handled.size} of ${records} records`)
answer({ inAllMs: lastMs - subscribedMs, sinceFirstMs: lastMs - firstMs! } satisfies ParallelMeasured)
