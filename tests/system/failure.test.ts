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
  const { replayed, positions } = await letters.replay()
  expect(replayed).toBe(hopeless.length)
  await worker.run(records)
  expect(worker.done.size).toBe(records)
  await letters.purge(positions)
  expect(await Array.fromAsync(letters.list())).toEqual([])
})
