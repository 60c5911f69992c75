// A producer that is fed faster than its broker takes.
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, bytes, topic } from '@sluice/kafka'
import { randomValue } from '../clients/client.ts'
import { answer, job } from '../in-process.ts'
import { MemorySamples } from '../memory-samples.ts'

export interface BoundedProducerJob {
  readonly bootstrap: string
  readonly clientId: string
  readonly topic: string
  readonly valueBytes: number
  /** What is offered, twice what the broker's quota lets in. */
  readonly recordsPerSecond: number
  readonly seconds: number
  /** Whether the source waits for `ready()`, as it should, or goes on calling `send()`. */
  readonly heeds: boolean
}

export interface BoundedProducerResult {
  readonly offered: number
  readonly acknowledged: number
  /** Refused by the queue's own bounds, by reason. */
  readonly shed: Readonly<Record<string, number>>
  readonly maxQueued: number
  /** Records in the queue at each change. */
  readonly throttledAt: readonly number[]
  readonly releasedAt: readonly number[]
  readonly memory: ReturnType<MemorySamples['summary']>
}

const { bootstrap, clientId, topic: name, valueBytes, recordsPerSecond, seconds, heeds } = job<BoundedProducerJob>()
const warmUpSeconds = Math.min(5, seconds / 4)
const stepMs = 5

await using kafka = new Kafka({ brokers: [bootstrap], clientId })
await using producer = await kafka.producer({ compression: 'none' })
const target = topic(name, { value: bytes })
const record = { value: randomValue(valueBytes) }
const throttledAt: number[] = []
const releasedAt: number[] = []
producer.on('throttled', ({ records }) => throttledAt.push(records))
producer.on('released', ({ records }) => releasedAt.push(records))

let offered = 0
let acknowledged = 0
let maxQueued = 0
const shed: Record<string, number> = {}
const memory = new MemorySamples()
const startedMs = performance.now()
const elapsedSeconds = (): number => (performance.now() - startedMs) / 1_000
const onAcknowledged = (): void => void acknowledged++
const onShed = (error: { readonly reason?: string; readonly message: string }): void => {
  const reason = error.reason ?? error.message
  shed[reason] = (shed[reason] ?? 0) + 1
}

while (elapsedSeconds() < seconds) {
  for (let due = (recordsPerSecond * stepMs) / 1_000; due > 0; due--) {
    if (heeds && producer.throttled) await producer.ready()
    offered++
    producer.send(target, record).then(onAcknowledged, onShed)
    maxQueued = Math.max(maxQueued, producer.inspect().queue.records)
  }
  if (elapsedSeconds() > warmUpSeconds) memory.sample()
  await sleep(stepMs)
}
const summary = memory.summary()
await producer.close({ timeoutMs: 30_000 })
answer({
  offered,
  acknowledged,
  shed,
  maxQueued,
  throttledAt,
  releasedAt,
  memory: summary,
} satisfies BoundedProducerResult)
