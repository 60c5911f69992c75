import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { describe, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type { BrokerNode, FetchRequest } from '../driver/driver.ts'
import type { ConsumerEvents } from './events.ts'
import { Fetcher } from './intake/fetcher.ts'
import { Intake } from './intake/intake.ts'
import { parseConsumerOptions } from './options.ts'
import { AssignedPartition } from './partition.ts'
import { PartitionLog } from './intake/partition-log.ts'
import { Tracker } from './commit/tracker.ts'
import { Unreadables } from '../incoming/unreadable.ts'
import { letters } from './testing/open-session.ts'
import { SimulatedBroker } from './testing/simulated-broker.ts'

const leader = { id: 1, host: 'simulated', port: 9092 }
const follower = { id: 2, host: 'simulated', port: 9094 }

/** Partition 0 of `letters`, led by broker 1; a client in the rack `near` is sent to broker 2. */
async function open(rackId: string | null = 'near', brokers: readonly BrokerNode[] = [leader, follower]) {
  const clock = new ManualClock()
  const broker = new SimulatedBroker(clock)
  broker.createTopic(letters.name, 1)
  const simulated = { ...broker.driver }
  broker.driver.metadata = async (names) => ({ ...(await simulated.metadata(names)), brokers })
  const asked: { to: number; request: FetchRequest }[] = []
  let fate: (() => Promise<string | undefined>) | undefined
  broker.driver.fetch = async (to, request) => {
    asked.push({ to: to.id, request })
    const error = to.id === follower.id ? await fate?.() : undefined
    const sendsAway = to.id === leader.id && request.rackId === 'near'
    // A leader that names another replica brings no records, and does not wait for any.
    const answer = await simulated.fetch(to, sendsAway || error !== undefined ? { ...request, maxWaitMs: 0 } : request)
    const partitions = answer.partitions.map((one) => {
      if (error !== undefined) return { ...one, errorCode: errorCode(error), records: null }
      return sendsAway ? { ...one, preferredReplica: 2, records: null } : one
    })
    return { ...answer, partitions }
  }
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 60_000 })
  await cluster.refresh([letters.name])
  const settings = parseConsumerOptions({
    group: 'readers',
    topics: [letters],
    ...(rackId !== null && { rackId }),
  })
  const intake = new Intake({ ...settings, onRoom: () => undefined })
  const partition = new AssignedPartition(letters, `id-of-${letters.name}`, 0, 0)
  const unreadables = new Unreadables({ policy: 'stop', limits: settings.limits, emit: () => {} })
  partition.log = new PartitionLog(partition, intake, new Tracker(0), unreadables)
  partition.phase = 'active'
  partition.position = 0
  intake.add(partition)
  const onOutOfRange = vi.fn()
  const onFatal = vi.fn()
  const ignore = (): void => undefined
  const events = new Emitter<ConsumerEvents>()
  const fetcher = new Fetcher({
    cluster,
    settings,
    clock,
    events,
    intake,
    onFatal,
    onOutOfRange,
    onRecords: ignore,
    onDiverged: ignore,
  })
  fetcher.add(partition)
  // The first fetch goes out, to the leader.
  await clock.advanceAsync(0)
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 10) await clock.advanceAsync(10)
  }
  return {
    broker,
    partition,
    fetcher,
    onFatal,
    onOutOfRange,
    pass,
    /** What each fetch to the follower fails with. */
    failFollower: (next: typeof fate) => (fate = next),
    /** To whom fetches go from now on. */
    during: async (ms: number): Promise<number[]> => {
      const before = asked.length
      await pass(ms)
      return [...new Set(asked.slice(before).map(({ to }) => to))]
    },
    asked,
  }
}

describe('a partition whose leader names a nearer replica', () => {
  test('is fetched from that one', async () => {
    const { broker, partition, during, asked, fetcher } = await open()
    broker.write('letters', 0, ['a'])
    expect(await during(1_000)).toEqual([2])
    expect(partition.position).toBe(1)
    expect(asked.filter(({ to }) => to === 1)).toHaveLength(1)
    expect(asked[0]!.request.rackId).toBe('near')
    expect(await during(1_000)).toEqual([2])
    fetcher.stop()
  })

  test('asks its leader again after `metadataMaxAgeMs`', async () => {
    const { during, fetcher } = await open()
    await during(1_000)
    expect(await during(58_000)).toEqual([2])
    expect(await during(2_000)).toEqual([2, 1])
    fetcher.stop()
  })

  test.each(['OFFSET_OUT_OF_RANGE', 'NOT_LEADER_OR_FOLLOWER', 'FENCED_LEADER_EPOCH', 'UNKNOWN_SERVER_ERROR'])(
    'goes back to the leader for a while when the replica answers %s',
    async (error) => {
      const { broker, partition, during, failFollower, onOutOfRange, onFatal, fetcher } = await open()
      await during(1_000)
      failFollower(async () => error)
      broker.write('letters', 0, ['a'])
      await during(1_000)
      expect(partition.position).toBe(1)
      expect(await during(10_000)).toEqual([1])
      failFollower(undefined)
      expect(await during(10_000)).toEqual([1, 2])
      expect(onOutOfRange).not.toHaveBeenCalled()
      expect(onFatal).not.toHaveBeenCalled()
      fetcher.stop()
    },
  )

  test('goes back to the leader when the replica cannot be reached', async () => {
    const { broker, partition, during, failFollower, fetcher } = await open()
    await during(1_000)
    failFollower(async () => {
      throw brokerError(errorCode('BROKER_NOT_AVAILABLE'), null)
    })
    broker.write('letters', 0, ['a'])
    await during(1_000)
    expect(partition.position).toBe(1)
    expect(await during(5_000)).toEqual([1])
    fetcher.stop()
  })

  test('goes back to the leader when the replica does not answer', async () => {
    const { broker, partition, during, failFollower, fetcher } = await open()
    await during(1_000)
    failFollower(() => new Promise(() => {}))
    broker.write('letters', 0, ['a', 'b'])
    await during(5_000)
    expect(partition.position).toBe(2)
    expect(await during(5_000)).toEqual([1])
    fetcher.stop()
  })

  test('stays with its leader when no such broker is known', async () => {
    const { broker, partition, during, fetcher } = await open('near', [leader])
    broker.write('letters', 0, ['a'])
    expect(await during(1_000)).toEqual([1])
    expect(partition.position).toBe(1)
    fetcher.stop()
  })
})

test('without a rack every fetch goes to the leader', async () => {
  const { during, asked, fetcher } = await open(null)
  expect(await during(1_000)).toEqual([1])
  expect(asked.every(({ request }) => request.rackId === '')).toBe(true)
  fetcher.stop()
})
