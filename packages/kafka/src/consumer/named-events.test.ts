import { describe, expect, test } from 'vitest'
import { ConnectionError } from '../errors.ts'
import { openSession } from './testing/open-session.ts'

describe('what happens to a cluster has a name', () => {
  test('a last stable offset that stands still for 30 s, once for each offset', async () => {
    const { broker, session, pass, close, heard } = await openSession(() => undefined, { partitions: 1 })
    broker.write('letters', 0, ['a'])
    broker.write('letters', 0, ['b', 'c'])
    broker.stableOffset = () => 1
    broker.assign('letters', [0])
    await session.start()
    await pass(29_000)
    expect(heard('stableOffsetHeld')).toEqual([])
    await pass(2_000)
    const told = { topic: 'letters', partition: 0, offset: 1, highWatermark: 3 }
    expect(heard('stableOffsetHeld')).toMatchObject([told])
    await pass(30_000)
    expect(heard('stableOffsetHeld')).toHaveLength(1)
    broker.stableOffset = () => undefined
    broker.write('letters', 0, ['d'])
    await pass(1_000)
    broker.stableOffset = () => 3
    await pass(31_000)
    expect(heard('stableOffsetHeld')).toMatchObject([told, { offset: 3, highWatermark: 4 }])
    await close()
  })

  test('all brokers lost, and one back', async () => {
    const { broker, session, pass, close, heard } = await openSession(() => undefined, { partitions: 1 })
    broker.assign('letters', [0])
    await session.start()
    await pass(500)
    const { driver } = broker
    const before = { metadata: driver.metadata.bind(driver), fetch: driver.fetch.bind(driver) }
    const fail = () => Promise.reject(new ConnectionError('simulated:9092', 'gone'))
    Object.assign(driver, { metadata: fail, fetch: fail })
    await pass(5_000)
    expect(heard('clusterLost')).toMatchObject([{ reason: { code: 'connection_failed' } }])
    expect(heard('clusterBack')).toEqual([])
    Object.assign(driver, before)
    await pass(3_000)
    expect(heard('clusterLost')).toHaveLength(1)
    expect(heard('clusterBack')).toEqual([{ lostMs: expect.any(Number) }])
    await close()
  })

  test('a topic with a new id, and a log that parts from what was read', async () => {
    const { broker, session, pass, close, heard } = await openSession(() => undefined, { partitions: 1 })
    broker.write('letters', 0, ['a', 'b', 'c'])
    broker.assign('letters', [0])
    await session.start()
    await pass(1_500)
    broker.divergence = () => {
      broker.divergence = () => undefined
      return 1
    }
    await pass(1_500)
    expect(heard('reset')).toMatchObject([
      { reason: 'no_committed_offset' },
      { reason: 'log_diverged', from: 3, offset: 1 },
    ])
    expect(broker.fetches.at(-1)!.partitions[0]).toMatchObject({ currentLeaderEpoch: 0, lastFetchedEpoch: 0 })
    broker.createTopic('letters', 1, 'another-id')
    broker.assign('letters', [0])
    await pass(3_000)
    expect(heard('topicRecreated')).toEqual([{ topic: 'letters', oldId: 'id-of-letters', newId: 'another-id' }])
    await close()
  })
})
