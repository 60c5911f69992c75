import { expect, test } from 'vitest'
import { openSession } from '../testing/open-session.ts'

test('a target that waits for its topic to be known is void once the group took all away', async () => {
  const { broker, session, pass, close, heard } = await openSession(() => undefined, { partitions: 1 })
  const metadata = broker.driver.metadata.bind(broker.driver)
  const before = await metadata(['letters'])
  broker.assign('letters', [])
  await session.start()
  await pass(500)
  Object.assign(broker.driver, { metadata: async () => before })
  broker.createTopic('letters', 1, 'another-id')
  broker.assign('letters', [0])
  await pass(1_000)
  broker.heartbeatFate = () => {
    broker.heartbeatFate = () => 'COORDINATOR_NOT_AVAILABLE'
    return 'FENCED_MEMBER_EPOCH'
  }
  await pass(700)
  Object.assign(broker.driver, { metadata })
  await pass(3_000)
  expect([...session.partitions]).toEqual([])
  await close()
  expect(heard('assigned')).toEqual([])
})
