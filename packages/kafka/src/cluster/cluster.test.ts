import { ClosedError, ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import type { ClusterMetadata, Driver } from '../driver/driver.ts'
import { Cluster } from './cluster.ts'

const metadata: ClusterMetadata = {
  clusterId: 'c',
  controllerId: 1,
  brokers: [{ id: 1, host: 'a', port: 9_092 }],
  topics: [],
}

function setUp(ask: (topics: readonly string[] | null) => Promise<ClusterMetadata>) {
  const clock = new ManualClock()
  const driver = { metadata: ask, findCoordinator: () => new Promise(() => {}), close: async () => {} }
  const settings = { clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 60_000 }
  return { clock, cluster: new Cluster({ driver: driver as unknown as Driver, ...settings }) }
}

describe('a cluster', () => {
  test('lets go of whoever waits, when their signal is aborted and when it is closed', async () => {
    const { cluster } = setUp(() => new Promise(() => {}))
    const waiting = new AbortController()
    const aborted = cluster.refresh(['orders'], waiting.signal)
    const refreshed = cluster.refresh(['orders'])
    const coordinated = cluster.coordinator('group', 'g')
    waiting.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    const both = Promise.allSettled([refreshed, coordinated])
    await cluster.close()
    for (const outcome of await both) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'closed' } })
    await expect(cluster.refresh([])).rejects.toBeInstanceOf(ClosedError)
    await expect(cluster.coordinator('group', 'g')).rejects.toBeInstanceOf(ClosedError)
  })

  test('asks again for the topics in use when what it knows has aged, and no more once closed', async () => {
    const asked: Array<readonly string[] | null> = []
    const topic = { name: 'orders', id: 'x', errorCode: 0, internal: false, partitions: [] }
    const { cluster, clock } = setUp((topics) => {
      asked.push(topics)
      return Promise.resolve({ ...metadata, topics: [topic] })
    })
    await cluster.refresh(['orders'])
    for (let minute = 0; minute < 2; minute++) {
      expect(cluster.topic('orders')?.id).toBe('x')
      await clock.advanceAsync(60_000)
    }
    expect(asked).toEqual([['orders'], ['orders'], ['orders']])
    await cluster.close()
    expect(clock.pending).toBe(0)
  })

  test('forgets the topics that nobody uses any more, also those that do not exist', async () => {
    const asked: Array<readonly string[] | null> = []
    const { cluster, clock } = setUp((topics) => {
      asked.push(topics)
      const answer = topics!.map((name) => ({ name, id: `id of ${name}`, errorCode: name === 'none' ? 3 : 0 }))
      return Promise.resolve({
        ...metadata,
        topics: answer.map((one) => ({ ...one, internal: false, partitions: [] })),
      })
    })
    await cluster.refresh(['used', 'idle', 'none'])
    expect(cluster.topic('none')?.errorCode).toBe(3)
    expect(cluster.topicById('id of used')?.name).toBe('used')
    const forgotten: string[] = []
    const stop = cluster.onForgotten((topics) => forgotten.push(...topics))
    await clock.advanceAsync(60_000)
    expect(forgotten).toEqual(['idle'])
    stop()
    expect(cluster.inspect().topics).toBe(2)
    expect(cluster.topicById('id of idle')).toBeUndefined()
    expect(cluster.topic('used')).toBeDefined()
    await clock.advanceAsync(60_000)
    expect(asked.map((names) => names?.join())).toEqual(['used,idle,none', 'used,none', 'used'])
    const again = cluster.refresh(['idle'])
    await clock.advanceAsync(50)
    await again
    expect(cluster.topic('idle')?.errorCode).toBe(0)
    await cluster.close()
  })

  test('tells once that its addresses lead to another cluster, and believes nothing of the former one', async () => {
    let clusterId: string | null = 'first'
    const partition = { partition: 0, errorCode: 0, leader: 1, leaderEpoch: 9, replicas: [1], inSync: [1] }
    const topic = { name: 'orders', id: 'x', errorCode: 0, internal: false, partitions: [partition] }
    const { cluster, clock } = setUp((names) =>
      Promise.resolve({ ...metadata, clusterId, topics: names?.includes('orders') === true ? [topic] : [] }),
    )
    let replaced = 0
    const stop = cluster.onReplaced(() => replaced++)
    const warned = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve))
    const refresh = async (names: readonly string[]): Promise<void> => {
      const refreshed = cluster.refresh(names)
      await clock.advanceAsync(50)
      await refreshed
    }
    await refresh(['orders'])
    clusterId = null
    await refresh(['orders'])
    expect([replaced, cluster.clusterId]).toEqual([0, 'first'])
    clusterId = 'second'
    await refresh([])
    expect([replaced, cluster.clusterId, cluster.topic('orders')]).toEqual([1, 'second', undefined])
    await refresh([])
    expect(replaced).toBe(1)
    expect(await warned).toMatchObject({ code: 'SLUICE_CLUSTER_REPLACED' })
    stop()
    await cluster.close()
  })

  test('finds a broker even where nothing is known yet', async () => {
    const { cluster } = setUp(() => Promise.resolve(metadata))
    expect(await cluster.anyBroker()).toMatchObject({ id: 1 })
    expect(cluster.inspect()).toEqual({ clusterId: 'c', brokers: 1, topics: 0 })
    await cluster.close()
  })
})
