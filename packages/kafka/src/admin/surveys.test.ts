import { ManualClock } from '@sluice/flow'
import { describe, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type { AdminDriver, BrokerNode, DescribedGroup, Driver, TopicMetadata } from '../driver/driver.ts'
import { ConnectionError } from '../errors.ts'
import { Admin } from './admin.ts'

const nodes: readonly BrokerNode[] = [1, 2, 3].map((id) => ({ id, host: `broker-${id}`, port: 9092 }))
const never = (): Promise<never> => new Promise(() => {})

/** Three brokers: partition n of a topic is led by broker n + 1, -1 stands for no leader. */
class Outage {
  readonly clock = new ManualClock()
  readonly topics = new Map<string, readonly number[]>()
  readonly committed = new Map<string, readonly { topic: string; partition: number; offset: number }[]>()
  readonly coordinators = new Map<string, number>()
  readonly members = new Map<string, readonly string[]>()
  /** What every request to this broker comes to. */
  readonly fates = new Map<number, () => Promise<never>>()
  readonly ends = { start: 0, stable: 10, end: 10 }
  readonly types = new Map<string, string>()
  readonly listOffsets = vi.fn<Driver['listOffsets']>(async (broker, isolation, queries) => {
    await this.fates.get(broker.id)?.()
    return queries.map(({ topic, partition, timestampMs }) => {
      const end = isolation === 'read_committed' ? this.ends.stable : this.ends.end
      const offset = timestampMs === -2 ? this.ends.start : end
      return { topic, partition, errorCode: 0, offset, timestampMs: -1, leaderEpoch: 0 }
    })
  })

  get admin(): Admin {
    const driver: Partial<Driver> = {
      metadata: async (names) => ({
        clusterId: 'c',
        controllerId: 1,
        brokers: nodes,
        topics: (names ?? [...this.topics.keys()]).map((name) => this.#topic(name)),
      }),
      findCoordinator: async (_, group) => {
        const id = this.coordinators.get(group) ?? 1
        if (id < 0) throw brokerError(errorCode('COORDINATOR_NOT_AVAILABLE'), null, { group })
        return nodes[id - 1]!
      },
      listOffsets: this.listOffsets,
      fetchOffsets: async (broker, { group }) => {
        await this.fates.get(broker.id)?.()
        const offsets = this.committed.get(group) ?? []
        return offsets.map((one) => ({ ...one, errorCode: 0, leaderEpoch: -1, metadata: '' }))
      },
      admin: this.#adminDriver() as AdminDriver,
    }
    const { clock } = this
    const options = { driver: driver as Driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 }
    return new Admin(new Cluster(options), clock)
  }

  /** The work, which has to end within this time of the clock. */
  async within<T>(ms: number, work: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => void (isOver = true)
    work.then(over, over)
    for (let passed = 0; !isOver && passed <= ms; passed += 10) await this.clock.advanceAsync(10)
    await this.clock.advanceAsync(0)
    if (!isOver) throw new Error(`not over within ${ms} ms`)
    return await work
  }

  #adminDriver(): Partial<AdminDriver> {
    return {
      listGroups: async (broker) => {
        await this.fates.get(broker.id)?.()
        const own = [...this.coordinators].filter(([, id]) => id === broker.id)
        return own.map(([group]) => ({ group, state: 'Stable', type: this.types.get(group) ?? 'consumer' }))
      },
      describeConsumerGroups: async (broker, groups) => {
        await this.fates.get(broker.id)?.()
        return groups.map((group) => this.#group(group))
      },
      describeClassicGroups: async (_, groups) =>
        groups.map((group) => ({ group, errorCode: 0, state: 'Dead', assignor: '', members: [] })),
    }
  }

  #topic(name: string): TopicMetadata {
    const leaders = this.topics.get(name)
    const partitions = (leaders ?? []).map((leader, partition) => {
      return { partition, errorCode: leader < 0 ? 5 : 0, leader, leaderEpoch: 0, replicas: [1], inSync: [1] }
    })
    return { name, id: `id-${name}`, errorCode: leaders === undefined ? 3 : 0, internal: false, partitions }
  }

  #group(group: string): DescribedGroup {
    const none = { group, errorMessage: null, state: 'Stable', epoch: 1, assignor: 'uniform' }
    if (!this.coordinators.has(group)) return { ...none, errorCode: errorCode('GROUP_ID_NOT_FOUND'), members: [] }
    const assignment = (this.members.get(group) ?? []).map((topic) => ({ topicId: `id-${topic}`, partitions: [0] }))
    const member = { memberId: 'm', instanceId: null, epoch: 1, clientId: 'c', host: '/h', assignment, target: [] }
    return { ...none, errorCode: 0, members: assignment.length === 0 ? [] : [member] }
  }
}

describe('a survey of topics', () => {
  test('tells the ends of all partitions but the one without a leader, at once', async () => {
    const outage = new Outage()
    outage.topics.set('ok', [1, 2]).set('sick', [-1, 3])
    const { topics } = await outage.within(200, outage.admin.surveyTopics())
    expect(topics.map(({ name, partitions }) => [name, partitions.map(({ end }) => end)])).toEqual([
      ['ok', [10, 10]],
      ['sick', [null, 10]],
    ])
    expect(topics[1]!.partitions[0]!.error).toMatchObject({ apiError: 'LEADER_NOT_AVAILABLE' })
  })

  test('waits for a silent broker once, asks the others meanwhile, and names its address', async () => {
    const outage = new Outage()
    outage.topics.set('orders', [1, 2, 3])
    outage.fates.set(2, never)
    const { topics } = await outage.within(800, outage.admin.surveyTopics(null, { silentMs: 500 }))
    expect(topics[0]!.partitions.map(({ end }) => end)).toEqual([10, null, 10])
    expect(topics[0]!.partitions[1]!.error).toMatchObject({ code: 'request_timed_out', address: 'broker-2:9092' })
  })

  test('gives the cause where an address cannot be reached, and asks it no second time', async () => {
    const outage = new Outage()
    outage.topics.set('orders', [1, 2, 3])
    outage.fates.set(2, () => Promise.reject(new ConnectionError('broker-2:9092', 'no such host (ENOTFOUND)')))
    const { topics } = await outage.within(200, outage.admin.surveyTopics())
    expect(topics[0]!.partitions[1]!.error?.message).toContain('ENOTFOUND')
  })

  test('asks again where a leader was elected just now', async () => {
    const outage = new Outage()
    outage.topics.set('new', [1])
    const answer = outage.listOffsets.getMockImplementation()!
    for (let n = 0; n < 4; n++) {
      outage.listOffsets.mockImplementationOnce(async (...args) =>
        (await answer(...args)).map((one) => ({ ...one, errorCode: errorCode('NOT_LEADER_OR_FOLLOWER') })),
      )
    }
    const { topics } = await outage.within(1_000, outage.admin.surveyTopics())
    expect(topics[0]!.partitions).toMatchObject([{ start: 0, end: 10, error: undefined }])
  })

  test('leaves out what is not there, with the reason', async () => {
    const outage = new Outage()
    outage.topics.set('orders', [1])
    const { topics, unknown } = await outage.within(200, outage.admin.surveyTopics(['orders', 'gone']))
    expect(topics.map(({ name }) => name)).toEqual(['orders'])
    expect(unknown).toMatchObject([{ topic: 'gone', error: { apiError: 'UNKNOWN_TOPIC_OR_PARTITION' } }])
  })
})

describe('a survey of groups', () => {
  test('shows the groups of the brokers that answer, and which brokers did not', async () => {
    const outage = new Outage()
    outage.topics.set('orders', [1, 3])
    outage.coordinators.set('a', 1).set('b', 2).set('c', 3)
    outage.committed.set('a', [{ topic: 'orders', partition: 0, offset: 4 }])
    outage.fates.set(2, never)
    const survey = await outage.within(800, outage.admin.surveyGroups(null, { silentMs: 500 }))
    expect(survey.groups.map(({ group }) => group)).toEqual(['a', 'c'])
    expect(survey.unknown).toMatchObject([{ broker: { id: 2 }, error: { code: 'request_timed_out' } }])
    expect(survey.groups[0]!.partitions.map(({ lag }) => lag)).toEqual([6, 10])
  })

  test('says of one group that its coordinator is silent or not elected, and describes the others', async () => {
    const outage = new Outage()
    outage.topics.set('orders', [1])
    outage.coordinators.set('a', 1).set('b', 2).set('c', -1)
    outage.committed.set('a', [{ topic: 'orders', partition: 0, offset: 4 }])
    outage.fates.set(2, never)
    const { groups } = await outage.within(800, outage.admin.surveyGroups(['a', 'b', 'c'], { silentMs: 500 }))
    expect(groups).toMatchObject([
      { group: 'a', error: undefined, partitions: [{ lag: 6 }] },
      { group: 'b', description: undefined, error: { code: 'request_timed_out' } },
      { group: 'c', description: undefined, error: { apiError: 'COORDINATOR_NOT_AVAILABLE' } },
    ])
  })

  test('counts a topic that was deleted while a member has it as gone, and all others as ever', async () => {
    const outage = new Outage()
    outage.topics.set('stays', [1])
    outage.coordinators.set('a', 1)
    outage.members.set('a', ['stays'])
    outage.committed.set('a', [
      { topic: 'stays', partition: 0, offset: 4 },
      { topic: 'goes', partition: 0, offset: 1 },
    ])
    const { groups } = await outage.within(200, outage.admin.surveyGroups())
    expect(groups).toMatchObject([
      {
        partitions: [{ topic: 'stays', lag: 6 }],
        unknownTopics: [{ topic: 'goes', error: { apiError: 'UNKNOWN_TOPIC_OR_PARTITION' } }],
        error: undefined,
      },
    ])
  })

  test('keeps groups that have no offsets apart', async () => {
    const outage = new Outage()
    outage.coordinators.set('a', 1).set('shared', 2)
    outage.types.set('shared', 'share')
    const survey = await outage.within(200, outage.admin.surveyGroups())
    expect(survey.groups.map(({ group }) => group)).toEqual(['a'])
    expect(survey.others).toMatchObject([{ group: 'shared', type: 'share' }])
  })
})

describe('lag', () => {
  async function lagWith(ends: Partial<Outage['ends']>, offset: number) {
    const outage = new Outage()
    Object.assign(outage.ends, ends)
    outage.topics.set('orders', [1])
    outage.committed.set('a', [{ topic: 'orders', partition: 0, offset }])
    return (await outage.within(200, outage.admin.lag('a')))[0]!
  }

  test('counts what an open transaction holds back, and says how much that is', async () => {
    expect(await lagWith({ stable: 10, end: 511 }, 10)).toMatchObject({ lag: 501, end: 511, held: 501 })
  })

  test('counts nothing as held that was written while the ends were asked for', async () => {
    const outage = new Outage()
    outage.topics.set('orders', [1])
    outage.committed.set('a', [{ topic: 'orders', partition: 0, offset: 10 }])
    // A record without a transaction is written after each answer.
    outage.listOffsets.mockImplementation(async (_broker, _isolation, queries) => {
      const offset = outage.ends.end++
      return queries.map((query) => ({ ...query, errorCode: 0, offset, timestampMs: -1, leaderEpoch: 0 }))
    })
    expect((await outage.within(200, outage.admin.lag('a')))[0]).toMatchObject({ held: 0 })
  })

  test('counts from the start of the log where the commit lies before it', async () => {
    expect(await lagWith({ start: 15, stable: 20, end: 20 }, 3)).toMatchObject({ committed: 3, start: 15, lag: 5 })
    expect(await lagWith({ start: 20, stable: 20, end: 20 }, 3)).toMatchObject({ lag: 0 })
  })
})

describe('offsets, all or nothing', () => {
  test('end with the reason and the address of what was not told', async () => {
    const outage = new Outage()
    outage.topics.set('adv', [2])
    const cause = new ConnectionError('broker-2:9092', 'cannot connect to broker-2:9092: no such host (ENOTFOUND)')
    outage.fates.set(2, () => Promise.reject(cause))
    const asked = outage.admin.offsets(['adv'], 'latest', { timeoutMs: 1_000 })
    await expect(outage.within(2_000, asked)).rejects.toMatchObject({ code: 'cluster_timed_out', cause })
  })

  test('keep their time beside a broker that does not answer at all', async () => {
    const outage = new Outage()
    outage.topics.set('orders', [1, 2])
    outage.fates.set(2, never)
    const asked = outage.admin.offsets(['orders'], 'latest', { timeoutMs: 1_000 })
    await expect(outage.within(1_100, asked)).rejects.toMatchObject({ code: 'cluster_timed_out' })
  })
})
