import { expect, test } from 'vitest'
import { openSession } from './testing/open-session.ts'

test('a topic that is created after the consumer began is read from its first record, though the policy is latest', async () => {
  const values: string[] = []
  const { broker, session, pass, close } = await openSession(({ value }) => values.push(value), {
    reset: 'latest',
    partitions: 0,
  })
  await session.start()
  await pass(100)
  broker.createTopic('letters', 1)
  broker.write('letters', 0, ['a'])
  broker.assign('letters', [0])
  await pass(2_000)
  expect(values).toEqual(['a'])
  await close()
})
