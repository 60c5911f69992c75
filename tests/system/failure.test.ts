import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, json, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'

let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'failure' })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

interface Task {
  readonly n: number
}

interface Call {
  readonly key: string
  readonly n: number
  readonly attempt: number
  readonly atMs: number
}

const tasks = topic('tasks', { key: text, value: json<Task>() })
const partitions = 3
const records = 600
const keys = 37
const firstWaitMs = 1_000
/** One in twenty fails, and one in a hundred of all for good. */
const fails = (n: number): boolean => n % 20 === 7
const isHopeless = (n: number): boolean => n % 100 === 7

/** What the handler was called with, in the order of the calls. */
class Worker {
  readonly calls: Call[] = []
  readonly done = new Set<number>()
  readonly buried = new Set<number>()
  readonly retryErrors: unknown[] = []
  isRepaired = false

  /** Handles until so many have come to an end, then closes in order. */
  async run(until: number): Promise<void> {
    await using consumer = await kafka.consumer({
      group: 'workers',
      topics: [tasks],
      reset: 'earliest',
      order: 'key',
      retry: { attempts: 3, initialMs: firstWaitMs, topicAfterMs: firstWaitMs },
      onDeadLetter: ({ value }) => {
        this.buried.add((value as Task).n)
        check()
      },
    })
    const check = (): void => {
      if (this.done.size + this.buried.size >= until) void consumer.close()
    }
    consumer.on('error', ({ during, error }) => void (during === 'retry_topic' && this.retryErrors.push(error)))
    check()
    await consumer.run(async ({ key, value }, { attempt }) => {
      const { n } = value
      this.calls.push({ key: key!, n, attempt, atMs: Date.now() })
      await sleep(1)
      if (!this.isRepaired && fails(n) && (attempt < 3 || isHopeless(n))) throw new Error(`not ${n}`)
      this.done.add(n)
      check()
    })
  }
}

async function left(name: string): Promise<number> {
  const admin = kafka.admin()
  const committed = await admin.committedOffsets('workers')
  const ends = await admin.offsets([name], 'latest')
  const offsetOf = (partition: number): number =>
    committed.find((one) => one.topic === name && one.partition === partition)?.offset ?? 0
  return ends.reduce((sum, { partition, offset }) => sum + offset - offsetOf(partition), 0)
}

test('one in twenty fails: each key keeps its order through the retry topic and a restart, and nothing is lost', async () => {
  await kafka.admin().createTopics([{ name: 'tasks', partitions }])
  await using producer = await kafka.producer()
  const all = Array.from({ length: records }, (_, n) => ({ key: `k${n % keys}`, value: { n } }))
  await Promise.all(all.map((record) => producer.send(tasks, record)))

  const worker = new Worker()
  // Those that fail, and those behind them, wait in the retry topic by then.
  await worker.run(records / 3)
  expect(await left('tasks.workers.retry')).toBeGreaterThan(0)
  const callsBefore = worker.calls.length
  await worker.run(records)

  const hopeless = all.filter(({ value }) => isHopeless(value.n)).map(({ value }) => value.n)
  expect([...worker.buried].toSorted((a, b) => a - b)).toEqual(hopeless)
  expect(worker.done.size).toBe(records - hopeless.length)
  expect(callsBefore).toBeLessThan(worker.calls.length)
  for (let key = 0; key < keys; key++) {
    const order = worker.calls.filter((call) => call.key === `k${key}`).map(({ n }) => n)
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  }
  for (const call of worker.calls.filter(({ attempt }) => attempt > 1)) {
    const before = worker.calls.find(({ n, attempt }) => n === call.n && attempt === call.attempt - 1)
    const waitMs = firstWaitMs * 2 ** (call.attempt - 2)
    // Its times are whole milliseconds.
    expect(call.atMs - before!.atMs).toBeGreaterThanOrEqual(waitMs - 1)
  }
  expect(worker.retryErrors).toEqual([])
  expect(await left('tasks')).toBe(0)
  expect(await left('tasks.workers.retry')).toBe(0)

  worker.isRepaired = true
  worker.buried.clear()
  const letters = kafka.deadLetters('tasks')
  const { to, positions } = await letters.replay()
  // To this group alone: the topic itself has nothing new.
  expect(to).toEqual({ 'tasks.workers.retry': hopeless.length })
  await worker.run(records)
  expect(worker.done.size).toBe(records)
  const again = worker.calls.slice(-hopeless.length)
  expect(new Set(again.map(({ n }) => n))).toEqual(new Set(hopeless))
  expect(again.every(({ attempt }) => attempt === 1)).toBe(true)
  expect(await left('tasks')).toBe(0)
  await letters.purge(positions)
  expect(await Array.fromAsync(letters.list())).toEqual([])
})

test('what a killed member had written to the retry topic and not committed is handled once, and before its successors', async () => {
  const letters = topic('letters', { key: text, value: text })
  const admin = kafka.admin()
  await admin.createTopics([
    { name: 'letters', partitions: 2 },
    { name: 'letters.readers.retry', partitions: 2 },
  ])
  await using producer = await kafka.producer()
  for (const value of ['a1', 'b1', 'a2', 'a3', 'b2']) {
    await producer.send(letters, { key: value[0]!, value, partition: 1, timestampMs: 1_700_000_000_000 })
  }
  const [described] = await admin.describeTopics(['letters'])
  await producer.send(topic('letters.readers.retry', { key: text, value: text }), {
    key: 'a',
    value: 'a1',
    partition: 1,
    headers: {
      'retry-count': '2',
      'not-before': String(Date.now() + 1_500),
      'original-topic': 'letters',
      'original-topic-id': described!.id,
      'original-partition': '1',
      'original-offset': '0',
      'original-timestamp': '1700000000000',
    },
  })

  const calls: string[] = []
  const places: unknown[] = []
  await using consumer = await kafka.consumer({
    group: 'readers',
    topics: [letters],
    reset: 'earliest',
    order: 'key',
    retry: { topicAfterMs: 0 },
  })
  await consumer.run((record, { attempt }) => {
    calls.push(`${record.value} ${attempt}`)
    const { topic: name, partition, offset, timestampMs } = record
    places.push([name, partition, offset, timestampMs])
    if (calls.length === 5) void consumer.close()
  })
  expect(calls).toEqual(['b1 1', 'b2 1', 'a1 3', 'a2 1', 'a3 1'])
  expect(places).toEqual([1, 4, 0, 2, 3].map((offset) => ['letters', 1, offset, 1_700_000_000_000]))
})

test('a copy whose clock was an hour ahead waits no longer than any retry', async () => {
  await kafka.admin().createTopics(['ahead', 'ahead.of-ahead.retry'].map((name) => ({ name, partitions: 1 })))
  await using producer = await kafka.producer({ addHeaders: false })
  await producer.send(topic('ahead.of-ahead.retry', { key: text, value: text }), {
    key: 'a',
    value: 'a1',
    headers: {
      'retry-count': '1',
      'not-before': String(Date.now() + 3_600_000),
      'original-topic': 'ahead',
      'original-partition': '0',
      'original-offset': '0',
      'original-timestamp': '1796063413308000000',
    },
  })
  await using consumer = await kafka.consumer({
    group: 'of-ahead',
    topics: [topic('ahead', { key: text, value: text })],
    reset: 'earliest',
    order: 'key',
    retry: { topicAfterMs: 0, initialMs: 10, maxMs: 500 },
  })
  const seen: unknown[] = []
  await consumer.run(({ value, timestampMs, headers }, { attempt }) => {
    seen.push([value, timestampMs, attempt, headers.size])
    void consumer.close()
  })
  // Of its own headers it had none.
  expect(seen).toEqual([['a1', 1_796_063_413_308_000_000, 2, 0]])
}, 12_000)

test('a retry topic with fewer partitions than its source gets as many', async () => {
  const admin = kafka.admin()
  const some = topic('some', { value: text })
  await admin.createTopics([
    { name: 'some', partitions: 4 },
    { name: 'some.of-some.retry', partitions: 1 },
  ])
  await using producer = await kafka.producer()
  for (let partition = 0; partition < 4; partition++) await producer.send(some, { value: `${partition}`, partition })
  await using consumer = await kafka.consumer({
    group: 'of-some',
    topics: [some],
    reset: 'earliest',
    order: 'unordered',
    retry: { initialMs: 200, topicAfterMs: 200 },
  })
  const handled: string[] = []
  await consumer.run(({ value }, { attempt }) => {
    if (attempt === 1) throw new Error('not at first')
    handled.push(value!)
    if (handled.length === 4) void consumer.close()
  })
  expect(handled.toSorted()).toEqual(['0', '1', '2', '3'])
  const ends = await admin.offsets(['some.of-some.retry'], 'latest')
  expect(ends.map(({ offset }) => offset)).toEqual([1, 1, 1, 1])
})
