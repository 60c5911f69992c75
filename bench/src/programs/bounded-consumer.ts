// A consumer whose handler is far slower than its broker, in front of a long backlog.
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, bytes, topic } from '@sluice/kafka'
import { answer, job } from '../in-process.ts'
import { MemorySamples } from '../memory-samples.ts'

export interface BoundedConsumerJob {
  readonly bootstrap: string
  readonly topic: string
  readonly maxRecords: number
  readonly maxBytes: number
  /** What the handler manages. */
  readonly recordsPerSecond: number
  readonly seconds: number
}

export interface BoundedConsumerResult {
  readonly handled: number
  readonly maxGateBytes: number
  readonly maxGateRecords: number
  readonly memory: ReturnType<MemorySamples['summary']>
}

const { bootstrap, topic: name, maxRecords, maxBytes, recordsPerSecond, seconds } = job<BoundedConsumerJob>()

await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench-bounded' })
globalThis.gc?.()
const memory = new MemorySamples()
memory.sample()
await using consumer = await kafka.consumer({
  group: `bench-${crypto.randomUUID()}`,
  topics: [topic(name, { value: bytes })],
  reset: 'earliest',
  gate: { maxRecords, maxBytes },
})
let handled = 0
let maxGateBytes = 0
let maxGateRecords = 0
let freeAtMs = performance.now()

/** One server for all partitions, busy for a fixed time with each record. */
async function handle(): Promise<void> {
  freeAtMs = Math.max(freeAtMs, performance.now()) + 1_000 / recordsPerSecond
  const waitMs = freeAtMs - performance.now()
  if (waitMs > 2) await sleep(waitMs)
  handled++
}

const running = consumer.run(handle)
const startedMs = performance.now()
while (performance.now() - startedMs < seconds * 1_000) {
  await Promise.race([sleep(50), running])
  memory.sample()
  const { gate } = consumer.inspect()
  maxGateBytes = Math.max(maxGateBytes, gate?.bytes ?? 0)
  maxGateRecords = Math.max(maxGateRecords, gate?.records ?? 0)
}
const summary = memory.summary()
await consumer.close({ timeoutMs: 10_000 })
answer({ handled, maxGateBytes, maxGateRecords, memory: summary } satisfies BoundedConsumerResult)
