// A consumer whose handler is far slower than its broker, in front of a long backlog.
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, bytes, topic } from '@sluice/kafka'
import { answer, job } from '../in-process.ts'
import { GateWatch, type WatchedGate } from '../gate-watch.ts'

export interface BoundedConsumerJob {
  readonly bootstrap: string
  readonly topic: string
  readonly maxRecords: number
  readonly maxBytes: number
  /** Default `partition`. */
  readonly order?: 'partition' | 'key'
  /** What the handler manages. */
  readonly recordsPerSecond: number
  readonly seconds: number
}

export interface BoundedConsumerResult extends WatchedGate {
  readonly handled: number
  /** Batches and records that were skipped. */
  readonly unreadable: number
}

const {
  bootstrap,
  topic: name,
  maxRecords,
  maxBytes,
  order = 'partition',
  recordsPerSecond,
  seconds,
} = job<BoundedConsumerJob>()

await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench-bounded' })
const gate = new GateWatch()
await using consumer = await kafka.consumer({
  group: `bench-${crypto.randomUUID()}`,
  topics: [topic(name, { value: bytes })],
  reset: 'earliest',
  order,
  gate: { maxRecords, maxBytes },
})
let handled = 0
let freeAtMs = performance.now()

/** One server for all partitions, busy for a fixed time with each record. */
async function handle(): Promise<void> {
  freeAtMs = Math.max(freeAtMs, performance.now()) + 1_000 / recordsPerSecond
  const waitMs = freeAtMs - performance.now()
  if (waitMs > 2) await sleep(waitMs)
  handled++
}

let unreadable = 0
consumer.on('unreadable', () => unreadable++)

const watched = await gate.watch(consumer, consumer.run(handle), seconds)
await consumer.close({ timeoutMs: 10_000 })
answer({ handled, unreadable, ...watched } satisfies BoundedConsumerResult)
