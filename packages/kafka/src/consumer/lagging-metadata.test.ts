import { errorCode } from '../driver/classify.ts'
import { expect, test } from 'vitest'
import { TimeLimit } from '../time-limit.ts'
import { openSession } from './testing/open-session.ts'

/** A session that has finished a record and not committed it, and now asks brokers that do not know its topic. */
async function openLagging(answers: number) {
  const opened = await openSession(() => undefined, { partitions: 1, commitIntervalMs: 60_000 })
  const { broker, session, pass } = opened
  broker.assign('letters', [0])
  await session.start()
  await pass(500)
  broker.write('letters', 0, ['a'])
  await pass(100)
  const metadata = broker.driver.metadata.bind(broker.driver)
  let lagging = answers
  broker.driver.metadata = async (names) => {
    const answer = await metadata(names)
    if (lagging-- <= 0) return answer
    const topics = answer.topics.map((one) => ({ ...one, id: '', errorCode: unknownTopic, partitions: [] }))
    return { ...answer, topics }
  }
  broker.fetchFate = () => {
    broker.fetchFate = () => undefined
    return 'NOT_LEADER_OR_FOLLOWER'
  }
  broker.write('letters', 0, ['b'])
  await pass(50)
  return opened
}

const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

test('what is finished is committed although a broker that lags behind did not know the topic', async () => {
  const { broker, session, pass } = await openLagging(2)
  const closing = session.close(new TimeLimit(broker.clock, 5_000))
  await pass(3_000)
  expect(await closing).toEqual({ abandonedHandlers: 0, uncommitted: [] })
  expect(broker.committedOf('letters', 0)).toBe(1)
})

test('what belongs to a topic that stays unknown is reported, and not waited for long', async () => {
  const { broker, session, pass } = await openLagging(Infinity)
  const before = broker.commits.length
  const closing = session.close(new TimeLimit(broker.clock, 30_000))
  await pass(2_000)
  expect(await closing).toEqual({
    abandonedHandlers: 0,
    uncommitted: [{ topic: 'letters', partition: 0, offset: 1 }],
  })
  expect(broker.commits).toHaveLength(before)
})
