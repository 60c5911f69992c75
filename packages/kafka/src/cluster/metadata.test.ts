import { describe, expect, test } from 'vitest'
import { errorCode } from '../driver/classify.ts'
import type { ClusterMetadata, TopicMetadata } from '../driver/driver.ts'
import { Metadata } from './metadata.ts'

const brokers = [1, 2].map((id) => ({ id, host: `b${id}`, port: 9_092 }))

function topic(id: string, leaders: ReadonlyArray<readonly [leader: number, epoch: number]>, code = 0): TopicMetadata {
  const partitions = leaders.map(([leader, leaderEpoch], partition) => ({
    partition,
    errorCode: 0,
    leader,
    leaderEpoch,
    replicas: [1, 2],
    inSync: [1, 2],
  }))
  return { name: 'orders', id, errorCode: code, internal: false, partitions }
}

function answer(...topics: readonly TopicMetadata[]): ClusterMetadata {
  return { clusterId: 'c', controllerId: 1, brokers, topics }
}

function leaderOf(metadata: Metadata): readonly [number, number] {
  const { leader, leaderEpoch } = metadata.partition('orders', 0)!
  return [leader, leaderEpoch]
}

describe('metadata', () => {
  test('the leader of a newer epoch wins, whoever tells it', () => {
    const metadata = new Metadata()
    metadata.learn(answer(topic('x', [[1, 5]])))
    metadata.noteLeader('orders', 0, { leader: 2, leaderEpoch: 6 })
    expect(leaderOf(metadata)).toEqual([2, 6])
    metadata.learn(answer(topic('x', [[1, 5]])))
    expect(leaderOf(metadata)).toEqual([2, 6])
    metadata.noteLeader('orders', 0, { leader: 1, leaderEpoch: 5 })
    expect(leaderOf(metadata)).toEqual([2, 6])
    metadata.learn(answer(topic('x', [[1, 7]])))
    expect(leaderOf(metadata)).toEqual([1, 7])
  })

  test('a hint of an unknown broker is left to a refresh', () => {
    const metadata = new Metadata()
    metadata.learn(answer(topic('x', [[1, 5]])))
    expect(metadata.noteLeader('orders', 0, { leader: 9, leaderEpoch: 6 })).toBe(false)
    expect(leaderOf(metadata)).toEqual([1, 5])
  })

  test('a topic that was created again starts from its own epochs, and its old id is unknown', () => {
    const metadata = new Metadata()
    metadata.learn(answer(topic('old', [[1, 9]])))
    metadata.learn(answer(topic('new', [[2, 0]])))
    expect(leaderOf(metadata)).toEqual([2, 0])
    expect(metadata.topicById('old')).toBeUndefined()
    expect(metadata.topicById('new')?.name).toBe('orders')
  })

  test('a topic that is gone is told so; one in passing trouble keeps what was known', () => {
    const metadata = new Metadata()
    metadata.learn(answer(topic('x', [[1, 5]])))
    metadata.learn(answer(topic('x', [], errorCode('LEADER_NOT_AVAILABLE'))))
    expect(leaderOf(metadata)).toEqual([1, 5])
    const gone = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
    metadata.learn(answer(topic('00000000-0000-0000-0000-000000000000', [], gone)))
    expect(metadata.topic('orders')?.errorCode).toBe(gone)
    expect(metadata.partition('orders', 0)).toBeUndefined()
    expect(metadata.topicById('x')).toBeUndefined()
  })

  test('a broker that does not know yet of new partitions takes none away', () => {
    const metadata = new Metadata()
    const grown = topic('x', [
      [1, 0],
      [2, 0],
    ])
    metadata.learn(answer(grown))
    metadata.learn(answer(topic('x', [[2, 1]])))
    expect(metadata.topic('orders')?.partitions.map(({ leader }) => leader)).toEqual([2, 2])
    metadata.learn(answer(topic('y', [[1, 0]])))
    expect(metadata.topic('orders')?.partitions).toHaveLength(1)
  })

  test('an answer without brokers takes none away', () => {
    const metadata = new Metadata()
    metadata.learn(answer())
    metadata.learn({ ...answer(), brokers: [] })
    expect(metadata.brokers).toHaveLength(2)
  })
})
