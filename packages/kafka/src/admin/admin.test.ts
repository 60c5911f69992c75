import { ManualClock } from '@sluice/flow'
import { describe, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import { SimulatedBroker } from '../consumer/testing/simulated-broker.ts'
import { Admin } from './admin.ts'

/** None of these calls comes as far as the cluster. */
const admin = new Admin({} as unknown as Cluster, new ManualClock())
const bad = { timeoutMs: 0 }

describe('an admin call with an argument that makes no sense is rejected, not thrown', () => {
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    createTopics: () => admin.createTopics([], bad),
    deleteTopics: () => admin.deleteTopics([], bad),
    committedOffsets: () => admin.committedOffsets('g', bad),
    offsets: () => admin.offsets([], 'latest', bad),
    lag: () => admin.lag('g', bad),
  }
  test.each(Object.entries(calls))('%s', async (_, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'config_invalid', field: 'timeoutMs' })
  })

  test('offsets at no time', async () => {
    await expect(admin.offsets([], -1)).rejects.toMatchObject({ code: 'config_invalid', field: 'at' })
  })

  test('a signal that is aborted already', async () => {
    const call = admin.lag('g', { signal: AbortSignal.abort(new Error('enough')) })
    await expect(call).rejects.toThrow('enough')
  })
})

describe('the lag of groups', () => {
  const committed = (topic: string, offset: number) => ({
    topic,
    partition: 0,
    errorCode: 0,
    offset,
    leaderEpoch: -1,
    metadata: '',
  })

  async function open(offsets: Readonly<Record<string, ReturnType<typeof committed>[]>>) {
    const clock = new ManualClock()
    const broker = new SimulatedBroker(clock)
    broker.createTopic('orders', 1)
    broker.write('orders', 0, ['a', 'b', 'c'])
    broker.driver.fetchOffsets = async (_, { group }) => offsets[group] ?? []
    const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
    return { admin: new Admin(cluster, clock), driver: broker.driver }
  }

  test('asks for the ends of a topic once, however many groups read it', async () => {
    const { admin, driver } = await open({ one: [committed('orders', 1)], two: [committed('orders', 3)] })
    const listOffsets = vi.spyOn(driver, 'listOffsets')
    const lags = await admin.lags([
      { group: 'one' },
      { group: 'two' },
      { group: 'new', topics: ['orders'] },
      { group: 'idle' },
    ])
    expect([...lags].map(([group, of]) => [group, of.map(({ lag }) => lag)])).toEqual([
      ['one', [2]],
      ['two', [0]],
      ['new', [3]],
      ['idle', []],
    ])
    // Where the log starts, where it ends, and where what is committed ends.
    expect(listOffsets).toHaveBeenCalledTimes(3)
  })

  test('counts nothing for a topic that is gone, and refuses one that was asked for by name', async () => {
    const { admin } = await open({ one: [committed('gone', 5), committed('orders', 1)] })
    expect(await admin.lag('one')).toEqual([
      { topic: 'orders', partition: 0, committed: 1, start: 0, end: 3, held: 0, lag: 2 },
    ])
    const { admin: other } = await open({})
    await expect(other.lag('one', { topics: ['gone'] })).rejects.toMatchObject({
      apiError: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
  })
})
