import { describe, expect, expectTypeOf, test } from 'vitest'
import { json } from '../../codecs/json.ts'
import { text } from '../../codecs/text.ts'
import { topic, topicPattern } from '../../record/topic.ts'
import type { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { RecordOf } from '../../incoming/record-of.ts'
import { parseConsumerOptions } from '../options.ts'
import { letters, openSession } from '../testing/open-session.ts'

const values = (seen: string[]) => (record: { topic: string; value: unknown }) =>
  void seen.push(`${record.topic}:${String(record.value)}`)

const lettersAndMore = topicPattern(/^letters/, { value: text })

describe('a pattern', () => {
  test('finds the topics there are, but no dead letters, no retries and none of Kafka', async () => {
    const seen: string[] = []
    const { broker, session, pass, close } = await openSession(values(seen), {
      topics: [topicPattern(/letters|offsets|state/, { value: text })],
      partitions: 1,
    })
    for (const name of ['more-letters', 'letters.dlq', 'letters.readers.retry', '__consumer_offsets', 'numbers']) {
      broker.createTopic(name, 1)
    }
    broker.write('letters', 0, ['a'])
    broker.write('more-letters', 0, ['b'])
    broker.assign('letters', [0])
    void session.start()
    await pass(200)
    expect(broker.heartbeats[0]!.topics).toEqual(['letters', 'more-letters'])
    expect(seen).toEqual(['letters:a'])
    broker.assign('more-letters', [0])
    await pass(1_000)
    expect(seen).toEqual(['letters:a', 'more-letters:b'])
    await close()
  })

  test('finds those that come into being later, which are read from the first record though the policy is latest', async () => {
    const seen: string[] = []
    const { broker, session, pass, close } = await openSession(values(seen), {
      topics: [lettersAndMore],
      partitions: 1,
      reset: 'latest',
      patternRefreshMs: 1_000,
    })
    broker.write('letters', 0, ['old'])
    broker.assign('letters', [0])
    void session.start()
    await pass(500)
    const before = broker.heartbeats.length
    broker.createTopic('letters-2', 1)
    broker.write('letters-2', 0, ['first'])
    await pass(1_000)
    const told = broker.heartbeats.slice(before).filter(({ topics }) => topics !== null)
    expect(told.map(({ topics }) => topics)).toEqual([['letters', 'letters-2']])
    broker.assign('letters-2', [0])
    await pass(1_000)
    expect(seen).toEqual(['letters-2:first'])
    await close()
  })

  test('lets go of those that are there no longer, not at the first miss', async () => {
    const { broker, session, pass, close } = await openSession(() => undefined, {
      topics: [lettersAndMore],
      patternRefreshMs: 1_000,
    })
    broker.createTopic('letters-2', 1)
    broker.assign('letters', [0])
    void session.start()
    await pass(500)
    const topics = () => broker.heartbeats.findLast((beat) => beat.topics !== null)!.topics
    expect(topics()).toEqual(['letters', 'letters-2'])
    broker.topics.delete('letters-2')
    await pass(1_000)
    expect(topics()).toEqual(['letters', 'letters-2'])
    await pass(1_000)
    expect(topics()).toEqual(['letters'])
    await close()
  })

  test('stands beside names, whose own codecs count', async () => {
    const seen: unknown[] = []
    const { broker, session, pass, close } = await openSession(({ value }) => void seen.push(value), {
      topics: [topic('letters', { value: json<{ a: number }>() }), /letters/],
      partitions: 1,
    })
    broker.createTopic('letters-2', 1)
    broker.write('letters', 0, ['{"a":1}'])
    broker.assign('letters', [0])
    void session.start()
    await pass(500)
    expect(broker.heartbeats[0]!.topics).toEqual(['letters', 'letters-2'])
    expect(seen).toEqual([{ a: 1 }])
    await close()
  })

  test('goes on after a metadata request that failed', async () => {
    const { broker, session, pass, close, heard } = await openSession(() => undefined, {
      topics: [lettersAndMore],
      patternRefreshMs: 1_000,
    })
    void session.start()
    await pass(500)
    const metadata = broker.driver.metadata.bind(broker.driver)
    Object.assign(broker.driver, { metadata: () => Promise.reject(new Error('not now')) })
    broker.createTopic('letters-2', 1)
    await pass(1_000)
    expect(heard('error')).toMatchObject([{ during: 'metadata', error: { message: 'not now' } }])
    Object.assign(broker.driver, { metadata })
    await pass(1_000)
    expect(broker.heartbeats.findLast((beat) => beat.topics !== null)!.topics).toContain('letters-2')
    await close()
  })
})

test('patterns are stateless, and typed', () => {
  const { pattern } = topicPattern(/a/gy, { value: text })
  expect([pattern.test('ba'), pattern.test('ba')]).toEqual([true, true])
  expectTypeOf<RecordOf<RegExp>>().toEqualTypeOf<ConsumerRecord<Buffer | null, Buffer | null>>()
  expectTypeOf<RecordOf<typeof lettersAndMore>>().toEqualTypeOf<ConsumerRecord<string | null, string | null>>()
  const { topics, patterns } = parseConsumerOptions({ group: 'g', topics: [letters, lettersAndMore, /x/] })
  expect([[...topics.keys()], patterns.map((one) => String(one.pattern))]).toEqual([['letters'], ['/^letters/', '/x/']])
})

test.each([
  [[]],
  ['orders'],
  [[{ pattern: 'orders', key: text, value: text }]],
  [[{ pattern: /x/, key: text }]],
  [[null]],
  [[letters, letters]],
])('topics %j are refused', (topics) => {
  expect(() => parseConsumerOptions({ group: 'g', topics: topics as never })).toThrow(
    expect.objectContaining({ code: 'config_invalid', field: expect.stringMatching(/topics|pattern|value/) }),
  )
})
