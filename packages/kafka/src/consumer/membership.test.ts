import { expect, test } from 'vitest'
import { parseConsumerOptions } from './options.ts'
import { letters, openSession } from './testing/open-session.ts'

test('a heartbeat that is answered later than a session timeout suspends and then resumes', async () => {
  const values: string[] = []
  const ends: (() => void)[] = []
  const { broker, session, pass, close, heard } = await openSession(
    ({ value }) => {
      values.push(value)
      return new Promise<void>((resolve) => ends.push(resolve))
    },
    { sessionTimeoutMs: 2_000, partitions: 1 },
  )
  broker.write('letters', 0, ['a', 'b'])
  broker.assign('letters', [0])
  await session.start()
  await pass(4_000)
  broker.heartbeatDelayMs = 2_500
  await pass(2_700)
  ends[0]!()
  await pass(100)
  expect(values).toEqual(['a'])
  broker.heartbeatDelayMs = 0
  await pass(2_000)
  expect(values).toEqual(['a', 'b'])
  expect(heard('suspended')).toHaveLength(1)
  expect(heard('resumed')).toHaveLength(1)
  ends[1]!()
  await close()
})

test('heartbeats have to be more frequent than the session timeout', () => {
  const options = { group: 'readers', topics: [letters], sessionTimeoutMs: 1_000 }
  expect(() => parseConsumerOptions({ ...options, heartbeatIntervalMs: 1_000 })).toThrow(
    expect.objectContaining({ code: 'config_invalid', field: 'heartbeatIntervalMs' }),
  )
  expect(parseConsumerOptions({ ...options, heartbeatIntervalMs: 999 }).heartbeatIntervalMs).toBe(999)
})
