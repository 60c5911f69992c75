import { Kafka, bytes, json, readDeadLetter, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readTopic } from './support/read-topic.ts'

let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'dead-letters' })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

const raw = (name: string) => topic(name, { key: text, value: bytes })

/** A topic of three partitions with these values in partition 1, all of one key. */
async function fill(name: string, values: readonly string[], configs: Record<string, string> = {}): Promise<void> {
  await kafka.admin().createTopics([{ name, partitions: 3, configs }])
  await using producer = await kafka.producer({ maxRecordBytes: 2_000_000, maxRequestBytes: 2_000_000 })
  const headers = { 'trace-id': 'abc' }
  for (const value of values) {
    await producer.send(raw(name), { key: 'k', value: Buffer.from(value), partition: 1, headers })
  }
}

async function committed(group: string, name: string): Promise<number | undefined> {
  const offsets = await kafka.admin().committedOffsets(group)
  return offsets.find((one) => one.topic === name && one.partition === 1)?.offset
}

test('a dead letter whose time its topic refuses is written with that of now, and says its own in a header', async () => {
  const name = 'ancient'
  await kafka.admin().createTopics([
    { name, partitions: 1 },
    { name: `${name}.dlq`, partitions: 1, configs: { 'message.timestamp.before.max.ms': '3600000' } },
  ])
  await using producer = await kafka.producer()
  await producer.send(raw(name), { key: 'k', value: Buffer.from('old'), timestampMs: 1_000 })
  await using consumer = await kafka.consumer({
    group: `of-${name}`,
    topics: [raw(name)],
    reset: 'earliest',
    retry: { attempts: 1 },
    onDeadLetter: () => void consumer.close(),
  })
  await consumer.run(() => {
    throw new Error('no')
  })
  const [letter] = await readTopic(kafka, raw(`${name}.dlq`), 1)
  expect(letter!.timestampMs).toBeGreaterThan(1_000)
  expect(readDeadLetter(letter!.headers)).toMatchObject({ timestampMs: 1_000 })
})

describe.each(['partition', 'key'] as const)('order by %s', (order) => {
  test('what fails for good becomes a dead letter with its facts, and its successors are handled', async () => {
    const name = `fails-${order}`
    await fill(name, ['a', 'bad', 'b', 'worse', 'c'])
    const handled: string[] = []
    const buried: [string, unknown][] = []
    await using consumer = await kafka.consumer({
      group: `of-${name}`,
      topics: [topic(name, { key: text, value: text })],
      reset: 'earliest',
      order,
      retry: { attempts: 3, initialMs: 1, isRetryable: (error) => (error as Error).message !== 'worse' },
      onDeadLetter: (record, error) => {
        buried.push([record.value as string, error])
        if (buried.length === 1) throw new Error('a listener that fails')
      },
    })
    const listenerErrors: unknown[] = []
    consumer.on('error', ({ during, error }) => void (during === 'dead_letter' && listenerErrors.push(error)))
    const attempts: number[] = []
    await consumer.run((record, { attempt }) => {
      const value = record.value!
      if (value === 'bad' || value === 'worse') {
        attempts.push(attempt)
        throw new TypeError(value)
      }
      handled.push(value)
      if (handled.length === 3) void consumer.close()
    })
    expect(handled).toEqual(['a', 'b', 'c'])
    expect(attempts).toEqual([1, 2, 3, 1])
    expect(buried.map(([value]) => value)).toEqual(['bad', 'worse'])
    expect(listenerErrors).toEqual([new Error('a listener that fails')])
    expect(await committed(`of-${name}`, name)).toBe(5)

    const [bad, worse] = await readTopic(kafka, raw(`${name}.dlq`), 2)
    expect([bad!.key, String(bad!.value), bad!.partition]).toEqual(['k', 'bad', 1])
    expect(bad!.headers.get('trace-id')).toBe('abc')
    expect(bad!.headers.get('original-topic')).toBe(name)
    expect(bad!.headers.get('error-message')).toBe('bad')
    const facts = { topic: name, partition: 1, group: `of-${name}`, stage: 'handler', errorClass: 'TypeError' }
    expect(readDeadLetter(bad!.headers)).toMatchObject({ ...facts, offset: 1, attempts: 3 })
    expect(readDeadLetter(worse!.headers)).toMatchObject({ ...facts, offset: 3, attempts: 1 })
    const [described] = await kafka.admin().describeTopics([`${name}.dlq`])
    expect(described!.partitions).toHaveLength(3)
    expect(described!.configs['max.message.bytes']).toBe(String(1_048_588 + 65_536))
  })

  test('what cannot be decoded becomes one with the bytes that it has', async () => {
    const name = `undecodable-${order}`
    await fill(name, ['{"n":1}', 'no JSON \u0000', '{"n":2}'])
    const seen: unknown[] = []
    await using consumer = await kafka.consumer({
      group: `of-${name}`,
      topics: [topic(name, { key: text, value: json<{ n: number }>() })],
      reset: 'earliest',
      order,
    })
    await consumer.run((record) => {
      seen.push(record.value)
      if (seen.length === 2) void consumer.close()
    })
    expect(seen).toEqual([{ n: 1 }, { n: 2 }])
    const [letter] = await readTopic(kafka, raw(`${name}.dlq`), 1)
    expect(String(letter!.value)).toBe('no JSON \u0000')
    expect(readDeadLetter(letter!.headers)).toMatchObject({ stage: 'decode', errorClass: 'DecodeError', offset: 1 })
    expect(await committed(`of-${name}`, name)).toBe(3)
  })
})

test('a list that fails is buried record by record, and one that cannot be decoded does not take others along', async () => {
  const name = 'lists'
  await fill(name, ['"a"', '"b"', 'no JSON', '"c"'])
  const lists: unknown[][] = []
  await using consumer = await kafka.consumer({
    group: 'of-lists',
    topics: [topic(name, { key: text, value: json<string>() })],
    reset: 'earliest',
    retry: { attempts: 1 },
  })
  await consumer.run(
    (records) => {
      lists.push(records.map(({ value }) => value))
      if (records[0]!.value === 'a') throw new Error('not these')
      void consumer.close()
    },
    { batch: true },
  )
  expect(lists).toEqual([['a', 'b'], ['c']])
  const letters = await readTopic(kafka, raw('lists.dlq'), 3)
  expect(letters.map(({ value }) => String(value))).toEqual(['"a"', '"b"', 'no JSON'])
})

test('a record as large as its topic allows still fits with the facts of its failure', async () => {
  const value = 'x'.repeat(1_500_000)
  await fill('large', [value], { 'max.message.bytes': '1600000' })
  await using consumer = await kafka.consumer({
    group: 'of-large',
    topics: [raw('large')],
    reset: 'earliest',
    retry: { attempts: 1 },
  })
  consumer.on('deadLettered', () => consumer.close())
  await consumer.run(() => {
    throw new Error('y'.repeat(50_000))
  })
  const [letter] = await readTopic(kafka, raw('large.dlq'), 1)
  expect(letter!.value).toHaveLength(1_500_000)
})

test('a dead letter that its topic can never take ends the consumer, which names the setting; then it is written', async () => {
  const name = 'unwritable'
  await fill(name, ['bad'])
  // It takes no record at all.
  const dlq = { name: `${name}.dlq`, partitions: 1, configs: { 'max.message.bytes': '10' } }
  await kafka.admin().createTopics([dlq])
  const open = () =>
    kafka.consumer({ group: 'of-unwritable', topics: [raw(name)], reset: 'earliest', retry: { attempts: 1 } })
  const fail = (): never => {
    throw new Error('no')
  }
  await using stopped = await open()
  const error = await stopped.run(fail).catch((one: unknown) => one)
  expect(error).toMatchObject({ code: 'dead_letter_refused', to: dlq.name, topic: name, refusal: 'too_large' })
  expect((error as Error).message).toContain('raise max.message.bytes of unwritable.dlq')
  expect(await committed('of-unwritable', name)).toBe(0)
  await kafka.admin().alterTopic(dlq.name, { configs: { 'max.message.bytes': '1000000' } })
  await using consumer = await open()
  consumer.on('deadLettered', () => consumer.close())
  await consumer.run(fail)
  expect(await committed('of-unwritable', name)).toBe(1)
})

test('a consumer of dead letters that fails stops, and so does one that wants none', async () => {
  await fill('stops', ['bad'])
  const stopOf = async (name: string, deadLetters: boolean): Promise<unknown> => {
    const retry = { attempts: 1 }
    const group = `stop-${name}-${deadLetters}`
    await using consumer = await kafka.consumer({ group, topics: [raw(name)], reset: 'earliest', retry, deadLetters })
    const fail = (): never => {
      throw new Error('no')
    }
    return await consumer.run(fail).catch((error: unknown) => error)
  }
  expect(await stopOf('stops', false)).toMatchObject({ code: 'handler_failed', topic: 'stops', attempts: 1 })
  await kafka.admin().createTopics([{ name: 'stops.dlq', partitions: 3 }])
  await using producer = await kafka.producer()
  await producer.send(raw('stops.dlq'), { key: 'k', value: Buffer.from('x') })
  expect(await stopOf('stops.dlq', true)).toMatchObject({ code: 'handler_failed', topic: 'stops.dlq' })
})
