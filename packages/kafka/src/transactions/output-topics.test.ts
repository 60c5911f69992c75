import { ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { text } from '../codecs/text.ts'
import { ConnectionError } from '../errors.ts'
import { topic } from '../record/topic.ts'
import { OutputTopics } from './output-topics.ts'
import { SimulatedTransactions } from './testing/simulated-transactions.ts'

const letters = topic('letters', { value: text })

async function topicsWith(configs: Readonly<Record<string, string>>): Promise<OutputTopics> {
  const clock = new ManualClock()
  const broker = new SimulatedTransactions(clock, 2)
  broker.configs = configs
  const topics = new OutputTopics(broker.cluster, clock)
  await topics.look('letters')
  return topics
}

describe('a record that its topic would refuse fails alone', () => {
  test('without a key where it is compacted', async () => {
    const topics = await topicsWith({ 'cleanup.policy': 'compact,delete' })
    expect(() => topics.encode(letters, { value: 'a' }, { nowMs: 0, compression: 'lz4' })).toThrow(
      /key.*letters is compacted/,
    )
    expect(topics.encode(letters, { key: 'k', value: 'a' }, { nowMs: 0, compression: 'lz4' }).topic).toBe('letters')
  })

  test('with a timestamp further ahead than it allows', async () => {
    const limits = { 'message.timestamp.type': 'CreateTime', 'message.timestamp.after.max.ms': '1000' }
    const topics = await topicsWith(limits)
    expect(() =>
      topics.encode(letters, { value: 'a', timestampMs: 6_001 }, { nowMs: 5_000, compression: 'lz4' }),
    ).toThrow(/timestampMs.*1000 ms/)
    expect(
      topics.encode(letters, { value: 'a', timestampMs: 6_000 }, { nowMs: 5_000, compression: 'lz4' }).record
        .timestampMs,
    ).toBe(6_000)
  })

  test('unless the broker sets the time', async () => {
    const topics = await topicsWith({
      'message.timestamp.type': 'LogAppendTime',
      'message.timestamp.after.max.ms': '1',
    })
    expect(
      topics.encode(letters, { value: 'a', timestampMs: 9_000 }, { nowMs: 0, compression: 'lz4' }).record.timestampMs,
    ).toBe(9_000)
  })
})

test('a partition beyond those that are known is looked for first, at most once a second', async () => {
  const clock = new ManualClock()
  const broker = new SimulatedTransactions(clock, 2)
  const topics = new OutputTopics(broker.cluster, clock)
  expect(topics.needsLook('letters', 0)).toBe(true)
  await topics.look('letters')
  expect([0, 1, undefined, 7].map((partition) => topics.needsLook('letters', partition))).toEqual([
    false,
    false,
    false,
    false,
  ])
  clock.advance(1_000)
  expect([0, 1, undefined, 7].map((partition) => topics.needsLook('letters', partition))).toEqual([
    false,
    false,
    false,
    true,
  ])
  broker.partitions = 8
  await Promise.all([topics.look('letters'), topics.look('letters')])
  expect(topics.encode(letters, { value: 'a', partition: 7 }, { nowMs: 0, compression: 'lz4' }).record.partition).toBe(
    7,
  )
})

test('a topic that nobody waits for any longer is not asked for again', async () => {
  const clock = new ManualClock()
  const { cluster } = new SimulatedTransactions(clock, 2)
  let asked = 0
  cluster.driver.metadata = async () => {
    asked++
    throw new ConnectionError('simulated', 'away')
  }
  const topics = new OutputTopics(cluster, clock)
  const [one, other] = [new AbortController(), new AbortController()]
  const looks = [one, other].map(({ signal }) => topics.look('letters', signal).catch((error: unknown) => error))
  await clock.advanceAsync(3_000)
  one.abort(new Error('first'))
  const before = asked
  await clock.advanceAsync(3_000)
  expect(asked).toBeGreaterThan(before)
  other.abort(new Error('last'))
  expect(await Promise.all(looks)).toMatchObject([{ message: 'first' }, { message: 'last' }])
  await clock.advanceAsync(1_000)
  const after = asked
  await clock.advanceAsync(10_000)
  expect(asked).toBe(after)
})
