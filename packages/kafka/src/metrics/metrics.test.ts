import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { letters, openProducer } from '../producer/testing/open-producer.ts'
import { catalogue } from './catalogue.ts'
import { KafkaMetrics } from './kafka-metrics.ts'
import { WindowedRate } from './windowed-rate.ts'

/** The samples of a metric as a scraper reads them: labels to value. */
async function samplesOf(registry: Registry, name: string): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith(`${name}{`))
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(line.indexOf('{'), line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' '))),
    ]),
  )
}

test('a producer in a registry of prom-client tells what it has done, how fast, and what it holds', async () => {
  const { clock, cluster, producer, send, pass } = await openProducer({ queue: { maxRecords: 10 }, lingerMs: 0 })
  const registry = new Registry()
  new KafkaMetrics(registry, { clock }).producer('shop', producer)
  for (let i = 0; i < 9; i++) send(String(i))
  expect(await samplesOf(registry, 'sluice_producer_queue_records')).toEqual({ '{client="shop"}': 9 })
  expect(await samplesOf(registry, 'sluice_producer_queue_throttled')).toEqual({ '{client="shop"}': 1 })
  await pass(1_000)
  expect(await samplesOf(registry, 'kafka_messages_sent_total')).toEqual({ '{topic="letters"}': 9 })
  expect(await samplesOf(registry, 'kafka_producer_record_send_rate')).toEqual({ '{client="shop"}': 9 })
  expect(await samplesOf(registry, 'kafka_send_duration_seconds_count')).toEqual({ '{topic="letters"}': 9 })
  expect(await samplesOf(registry, 'kafka_send_duration_seconds_bucket')).toMatchObject({
    '{topic="letters",le="0.005"}': 9,
    '{topic="letters",le="+Inf"}': 9,
  })
  const [size] = Object.values(await samplesOf(registry, 'kafka_producer_batch_size_avg'))
  const sizes = cluster.requests.flatMap(({ request }) => request.batches.map(({ batch }) => batch.length))
  expect(size).toBe(sizes.reduce((sum, one) => sum + one, 0) / sizes.length)

  cluster.fate = () => ({ refusedWith: 'INVALID_RECORD' })
  send('bad')
  await pass(1_000)
  expect(await samplesOf(registry, 'sluice_producer_failed_total')).toEqual({ '{topic="letters"}': 1 })
  expect(await samplesOf(registry, 'kafka_producer_record_error_rate')).toEqual({ '{client="shop"}': 0.5 })
  for (let i = 0; i < 10; i++) send(String(i))
  send('low', 0, 'low')
  expect(await samplesOf(registry, 'sluice_producer_shed_total')).toMatchObject({
    '{client="shop",reason="low_priority_drop"}': 1,
    '{client="shop",reason="timeout_drop"}': 0,
  })
  expect(await samplesOf(registry, 'sluice_producer_breaker_state')).toMatchObject({
    '{client="shop",state="closed"}': 1,
    '{client="shop",state="open"}': 0,
  })
  await pass(100)
  await producer.close()
})

test('two clients that write to one topic are one in its counters; two open ones cannot have one name', async () => {
  const registry = new Registry()
  const metrics = new KafkaMetrics(registry)
  const [first, second] = [await openProducer(), await openProducer()]
  metrics.producer('first', first.producer)
  metrics.producer('second', second.producer)
  for (const { producer, pass } of [first, second]) {
    const sent = producer.send(letters, { value: 'x' })
    await pass(50)
    await sent
  }
  expect(await samplesOf(registry, 'kafka_messages_sent_total')).toEqual({ '{topic="letters"}': 2 })
  expect(() => metrics.producer('first', second.producer)).toThrow('client')
  await first.producer.close()
  metrics.producer('first', second.producer)
})

test('a consumer tells its lag, what it finishes and how often it commits', async () => {
  const registry = new Registry()
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs } as never
  const partitions = [
    { topic: 'a', incarnation: 1, finishedTo: 100, lagRecords: 50 },
    { topic: 'a', incarnation: 2, finishedTo: -1, lagRecords: null },
    { topic: 'b', incarnation: 3, finishedTo: 10, lagRecords: 5 },
  ]
  const deadLetters = { written: 5, reduced: 2 }
  const state = { state: 'running', partitions, committer: { commits: 7 }, deadLetters }
  const metrics = new KafkaMetrics(registry, { clock })
  metrics.consumer('billing', { inspect: () => state as never })
  metrics.processed('a', 'order_created', () => 12)
  expect(await samplesOf(registry, 'kafka_consumer_records_lag')).toEqual({
    '{client="billing",topic="a"}': 50,
    '{client="billing",topic="b"}': 5,
  })
  expect(await samplesOf(registry, 'sluice_consumer_dead_letters_total')).toEqual({
    '{client="billing",form="whole"}': 3,
    '{client="billing",form="reduced"}': 2,
  })
  expect(await samplesOf(registry, 'kafka_messages_processed_total')).toEqual({
    '{topic="a",event_type="order_created"}': 12,
  })
  nowMs = 10_000
  partitions[0]!.finishedTo = 150
  // A new assignment does not count what others have finished before.
  partitions[2] = { topic: 'b', incarnation: 4, finishedTo: 900, lagRecords: 5 }
  state.committer.commits = 17
  expect(await samplesOf(registry, 'kafka_consumer_records_consumed_rate')).toEqual({ '{client="billing"}': 5 })
  expect(await samplesOf(registry, 'kafka_consumer_commit_rate')).toEqual({ '{client="billing"}': 1 })
})

test('a rate is over the last 30 seconds, however often it is read', () => {
  const rate = new WindowedRate(0)
  for (let second = 1; second <= 60; second++) rate.read(second * 1_000, second * 10)
  expect(rate.read(60_000, 600)).toBe(10)
  for (let second = 61; second <= 90; second++) rate.read(second * 1_000, 600)
  expect(rate.read(90_000, 600)).toBe(0)
})

test('docs/metrics.md lists every metric with its type, labels and meaning, and nothing else', () => {
  const page = readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const listed = rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  expect(listed).toEqual(
    Object.entries(catalogue).map(([name, { type, labels, help }]) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(', '),
      help,
    ]),
  )
})
