import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { expect, test } from 'vitest'
import { Cluster } from '../../cluster/cluster.ts'
import { TimeLimit } from '../../time-limit.ts'
import type { ConsumerEvents } from '../events.ts'
import { Membership } from './membership.ts'
import { parseConsumerOptions } from '../options.ts'
import type { StateFile } from './state-file.ts'
import { Subscription } from './subscription.ts'
import { letters, openSession, pass } from '../testing/open-session.ts'
import { SimulatedBroker } from '../testing/simulated-broker.ts'

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

test('a leave during a rejoin ends, and the member does not join again', async () => {
  const clock = new ManualClock()
  const broker = new SimulatedBroker(clock)
  broker.createTopic('letters', 1)
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  await cluster.refresh(['letters'])
  const settings = parseConsumerOptions({ group: 'readers', topics: [letters] })
  const events = new Emitter<ConsumerEvents>()
  const shared = { cluster, settings, clock, events }
  const read = Promise.withResolvers<undefined>()
  let reads = 0
  const stateFile = {
    begin: async () => [],
    otherMember: () => {
      reads++
      return read.promise
    },
  } as unknown as StateFile
  const nothing = (): void => {}
  const listener = { owned: () => [], onTarget: nothing, onLost: nothing, onResumed: nothing, onFatal: nothing }
  const subscription = new Subscription({ ...shared, onChanged: nothing })
  const membership = new Membership({ ...shared, subscription, listener, stateFile })
  membership.start()
  await pass(clock, 500)
  broker.heartbeatFate = ({ memberEpoch }) => (memberEpoch > 0 ? 'FENCED_MEMBER_EPOCH' : undefined)
  membership.suspect()
  await pass(clock, 100)
  expect(reads).toBe(1)
  void membership.leave(new TimeLimit(clock, 60_000))
  read.resolve(undefined)
  const joins = (): number => broker.heartbeats.filter(({ memberEpoch }) => memberEpoch === 0).length
  await pass(clock, 10_000)
  expect([membership.state, joins()]).toEqual(['left', 1])
})

test.each([0, -5_000])('an interval of %i ms that a broker tells is no reason to send without pause', async (told) => {
  const { broker, session, pass, close } = await openSession(() => {}, { partitions: 1 })
  broker.heartbeatIntervalMs = told
  broker.assign('letters', [0])
  await session.start()
  await pass(1_000)
  const before = broker.heartbeats.length
  await pass(1_000)
  const sent = broker.heartbeats.length - before
  expect(sent).toBeGreaterThan(1)
  expect(sent).toBeLessThanOrEqual(21)
  await close()
})
