import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumer, Kafka, type RecordOf, json, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canCompileJava, kafkaTool } from './support/java.ts'
import { quickBrokers } from './support/quick-brokers.ts'
import { until } from './support/until.ts'

const within = { timeoutMs: 40_000 }

let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  stack = await startStack({ kafka: { properties: quickBrokers } })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'consumer' })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

/** A JRE alone cannot run a program from its source. */
const compilesJava = await canCompileJava()

const textTopic = (name: string) => topic(name, { value: text })
type TextTopic = ReturnType<typeof textTopic>

async function create(name: string, partitions = 1): Promise<TextTopic> {
  await kafka.admin().createTopics([{ name, partitions }])
  return textTopic(name)
}

async function write(target: TextTopic, values: readonly string[], partition = 0): Promise<void> {
  await using producer = await kafka.producer({ queue: { maxRecords: 100_000 } })
  await Promise.all(values.map((value) => producer.send(target, { value, partition })))
}

const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, index) => `${from + index}`)

/** Collects values until the test closes the consumer. */
async function collect(target: TextTopic, group = `of-${target.name}`) {
  const consumer = await kafka.consumer({ group, topics: [target], reset: 'earliest' })
  const values: string[] = []
  const events: string[] = []
  for (const name of ['reset', 'lost', 'topicRecreated'] as const) consumer.on(name, () => void events.push(name))
  const running = consumer.run(({ value }: RecordOf<TextTopic>) => void values.push(value!))
  return { consumer, values, events, running }
}

describe('reading', () => {
  test('gives every record once, in the order of its partition, over several runs', async () => {
    const target = await create('in-order', 4)
    for (let partition = 0; partition < 4; partition++) await write(target, numbered(2_500), partition)
    const seen: string[][] = [[], [], [], []]
    for (const stopAt of [3_000, 10_000]) {
      await using consumer = await kafka.consumer({ group: 'in-order', topics: [target], reset: 'earliest' })
      let handled = seen.flat().length
      const running = consumer.run(({ partition, value }) => {
        seen[partition]!.push(value!)
        if (++handled === stopAt) void consumer.close()
      })
      await running
    }
    expect(seen).toEqual(Array.from({ length: 4 }, () => numbered(2_500)))
  })

  test.skipIf(!compilesJava)(
    'leaves out what transactions have aborted, and the markers of those that committed',
    async () => {
      const target = await create('transactions')
      const program = join(import.meta.dirname, 'programs/TransactionalWriter.java')
      await kafkaTool(program, [stack.kafka.bootstrapServers, target.name, '30', '50'])
      const { consumer, values, running } = await collect(target)
      await until(() => values.length >= 1_000, within)
      await sleep(300)
      const report = await consumer.close()
      await running
      expect(values).toEqual(numbered(1_000).map((number) => `committed ${number}`))
      expect(report).toEqual({ abandonedHandlers: 0, uncommitted: [] })
      // 30 markers, and the aborted records, count as finished: there is no lag.
      const [lag] = await kafka.admin().lag('of-transactions')
      expect(lag).toMatchObject({ lag: 0 })
    },
  )

  test('of a record that cannot be decoded stops a consumer without dead letters, says where, and commits up to it', async () => {
    const target = await create('broken')
    await write(target, ['{"a":1}', '{"a":2}', 'nonsense', '{"a":3}'])
    await using consumer = await kafka.consumer({
      group: 'broken',
      topics: [topic('broken', { value: json<{ a: number }>() })],
      reset: 'earliest',
      deadLetters: false,
    })
    const seen: number[] = []
    await expect(consumer.run(({ value }) => void seen.push(value.a))).rejects.toMatchObject({
      code: 'decode_failed',
      topic: 'broken',
      partition: 0,
      offset: 2,
      part: 'value',
    })
    expect(seen).toEqual([1, 2])
    const offsets = await kafka.admin().lag('broken')
    expect(offsets).toMatchObject([{ committed: 2 }])
  })
})

describe('disturbances', () => {
  test('a broker that restarts costs no record and no repeat', async () => {
    const target = await create('restart', 2)
    await write(target, numbered(100))
    const { consumer, values, running } = await collect(target)
    await until(() => values.length === 100, within)
    await sleep(1_200)
    const { id } = stack.kafka.brokers[0]!
    await stack.kafka.kill(id)
    await sleep(1_000)
    await stack.kafka.restart(id)
    await write(target, numbered(100, 100))
    await until(() => values.length >= 200, within)
    await consumer.close()
    await running
    expect(values).toEqual(numbered(200))
  })

  test('a topic that is deleted and created again is read from its beginning, and said so', async () => {
    const target = await create('phoenix')
    await write(target, numbered(50))
    const { consumer, values, events, running } = await collect(target)
    await until(() => values.length === 50, within)
    await sleep(1_200)
    await kafka.admin().deleteTopics([target.name])
    await create(target.name)
    await write(target, numbered(20, 1_000))
    await until(() => values.length >= 70, within)
    await consumer.close()
    await running
    expect(values).toEqual([...numbered(50), ...numbered(20, 1_000)])
    expect(events).toContain('topicRecreated')
  })

  test('a handler slower than the session keeps its partition', async () => {
    const target = await create('slow')
    await write(target, ['only'])
    await using consumer = await kafka.consumer({
      group: 'slow',
      topics: [target],
      reset: 'earliest',
      sessionTimeoutMs: 1_000,
    })
    const lost: unknown[] = []
    consumer.on('lost', (event) => void lost.push(event))
    consumer.on('suspended', (event) => void lost.push(event))
    let handled = 0
    const running = consumer.run(async () => {
      await sleep(4_000)
      handled++
    })
    await until(() => handled === 1, within)
    await consumer.close()
    await running
    expect([handled, lost]).toEqual([1, []])
  })
})

describe('closing', () => {
  test('waits for running handlers, commits them and leaves, so that the next one goes on at once', async () => {
    const target = await create('drained')
    await write(target, ['a', 'b'])
    const consumer: Consumer<TextTopic> = await kafka.consumer({
      group: 'drained',
      topics: [target],
      reset: 'earliest',
    })
    const begun: string[] = []
    const running = consumer.run(async ({ value }) => {
      begun.push(value!)
      await sleep(500)
    })
    await until(() => begun.length === 1, within)
    expect(await consumer.close()).toEqual({ abandonedHandlers: 0, uncommitted: [] })
    await running
    expect(begun).toEqual(['a'])
    const next = await collect(target, 'drained')
    await until(() => next.values.length === 1, { timeoutMs: 5_000 })
    await next.consumer.close()
    expect(next.values).toEqual(['b'])
  })

  test('is what an aborted signal does', async () => {
    const target = await create('aborted')
    await using consumer = await kafka.consumer({ group: 'aborted', topics: [target] })
    const stop = new AbortController()
    const running = consumer.run(() => undefined, { signal: stop.signal })
    await sleep(300)
    stop.abort()
    await running
    expect(consumer.inspect().state).toBe('closed')
  })
})
