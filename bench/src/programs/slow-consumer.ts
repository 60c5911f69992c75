// A consumer whose handlers take long, in front of a long backlog, with a topic beside it whose records are urgent.
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, bytes, topic } from '@sluice/kafka'
import { answer, job } from '../in-process.ts'
import { GateWatch, type WatchedGate } from '../gate-watch.ts'

export interface SlowConsumerJob {
  readonly bootstrap: string
  readonly topic: string
  readonly urgentTopic: string
  readonly handlerMs: number
  readonly concurrency: number
  readonly maxRecords: number
  readonly maxBytes: number
  readonly seconds: number
}

export interface SlowConsumerResult extends WatchedGate {
  readonly handled: number
  /** From its timestamp until its handler began, of every urgent record that was sent once the consumer was at work. */
  readonly urgentDelaysMs: readonly number[]
}

const { bootstrap, topic: name, urgentTopic, handlerMs, seconds, ...limits } = job<SlowConsumerJob>()

await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench-slow' })
const gate = new GateWatch()
await using consumer = await kafka.consumer({
  group: `bench-${crypto.randomUUID()}`,
  topics: [topic(name, { value: bytes }), topic(urgentTopic, { value: bytes })],
  topicPriority: { [urgentTopic]: 'high' },
  reset: 'earliest',
  order: 'key',
  concurrency: limits.concurrency,
  gate: { maxRecords: limits.maxRecords, maxBytes: limits.maxBytes },
})
let handled = 0
const urgentDelaysMs: number[] = []

let atWorkSinceMs = Infinity
const running = consumer.run(async (record) => {
  atWorkSinceMs = Math.min(atWorkSinceMs, Date.now())
  if (record.topic === urgentTopic && record.timestampMs >= atWorkSinceMs)
    urgentDelaysMs.push(Date.now() - record.timestampMs)
  await sleep(handlerMs)
  handled++
})
const watched = await gate.watch(consumer, running, seconds)
await consumer.close({ timeoutMs: 10_000 })
answer({ handled, urgentDelaysMs, ...watched } satisfies SlowConsumerResult)
