import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { describe, expect, test } from 'vitest'
import { text } from '../codecs/text.ts'
import type { CommitEntry } from '../consumer/commit/commit-route.ts'
import type { Output } from '../outgoing/output.ts'
import { ConsumerRecord } from '../incoming/consumer-record.ts'
import { Intake } from '../consumer/intake/intake.ts'
import type { Membership } from '../consumer/group/membership.ts'
import { AssignedPartition } from '../consumer/partition.ts'
import { ConnectionError } from '../errors.ts'
import type { OriginalRecord } from '../incoming/original-record.ts'
import { topic } from '../record/topic.ts'
import { OutputTopics } from '../transactions/output-topics.ts'
import { settle } from '../transactions/testing/settle.ts'
import { SimulatedTransactions, type Fate } from '../transactions/testing/simulated-transactions.ts'
import { TransactionCommits, type TransactionEvents } from './transaction-commits.ts'
import { TransactionWriter } from '../transactions/transaction-writer.ts'

const letters = topic('letters', { value: text })
const dead = topic('dead', { value: text })
const source = topic('source', { value: text })

async function setUp(version: 1 | 2 = 2) {
  const clock = new ManualClock()
  const original = (offset: number): OriginalRecord => {
    return { offset, timestampMs: 1, key: null, value: null, headers: undefined }
  }
  let readAgain = async (of: AssignedPartition, offset: number): Promise<ConsumerRecord | undefined> =>
    new ConsumerRecord('source', of.partition, original(offset), null, null)
  const broker = new SimulatedTransactions(clock, version)
  const { cluster } = broker
  const topics = new OutputTopics(cluster, clock)
  await settle(clock, Promise.all([topics.look('letters'), topics.look('dead')]))
  const limits = { timeoutMs: 10_000, batchBytes: 10_000, compression: 'none' } as const
  const writer = new TransactionWriter({ ...limits, cluster, clock, topics, transactionalId: 'id' })
  const events = new Emitter<TransactionEvents>()
  const heard: string[] = []
  for (const name of ['committed', 'aborted', 'fenced'] as const) events.on(name, () => heard.push(name))
  const budget = { maxRecords: 100, maxBytes: 1_000_000, partitionMaxBytes: 1_000, fetchMaxBytes: 1_000 }
  const intake = new Intake({ ...budget, busyPartitions: 1, onRoom: () => {} })
  const partition = new AssignedPartition(source, 'id', 0, 1)
  partition.phase = 'active'
  intake.add(partition)
  // The part of a membership that commits need.
  const membership = { memberId: 'm', epoch: 1, refreshed: async () => {}, suspect: () => {} } as unknown as Membership
  const commits = new TransactionCommits({
    cluster,
    clock,
    group: 'g',
    instanceId: null,
    writer,
    topics,
    route: {
      next: () => ({ again: false }),
      divert: async ({ records, error }) => {
        const value = `dead ${records[0]!.offset}: ${(error as Error).name}`
        return [topics.encode(dead, { key: 'k', value }, { nowMs: 1, compression: 'lz4' })]
      },
    },
    readAgain: (of, _, { offset }) => readAgain(of, offset),
    onFailure: () => heard.push('read again'),
    events,
    membership,
    intake,
    maxOutputs: 3,
    onDue: () => heard.push('due'),
    onRoom: () => heard.push('room'),
  })
  const entry = (offset: number): CommitEntry => {
    return { owner: partition, topic: 'source', partition: 0, offset, leaderEpoch: -1, metadata: '', revision: offset }
  }
  /** The record at this offset is finished, and a letter with this value came of it. */
  const finish = (offset: number, value: string): void =>
    commits.finished(partition, offset, [topics.encode(letters, { key: 'k', value }, { nowMs: 1, compression: 'lz4' })])
  const commit = (offset: number) => settle(clock, commits.commit([entry(offset)]))
  const fated = (...fates: Fate[]): void => {
    broker.fate = (name) => (name === 'end' ? fates.shift() : undefined)
  }
  /** The same as a handler returns it. */
  const returned = (offset: number, value: string, to = 0): void => {
    const source = { offset, attempt: 1, compression: undefined }
    const settings = { nowMs: 1, compression: 'none', source } as const
    commits.finished(partition, offset, [topics.encode(letters, { key: 'k', value, partition: to }, settings)])
  }
  const readsAgain = (read: typeof readAgain): void => void (readAgain = read)
  return {
    clock,
    broker,
    commits,
    partition,
    intake,
    finish,
    returned,
    readsAgain,
    commit,
    fated,
    heard,
    entry,
    topics,
  }
}

const lost = Array.from({ length: 1_000 }, (): Fate => 'request_lost')
const committed = [{ topic: 'source', partition: 0, errorCode: 0 }]

describe('what was to be said of an output', () => {
  const settings = { nowMs: 1, compression: 'lz4' } as const

  test('is said once its transaction is committed, and not when one was aborted', async () => {
    const { broker, commits, partition, topics, commit } = await setUp()
    const said: string[] = []
    const output = topics.encode(letters, { key: 'k', value: 'a' }, settings)
    commits.finished(partition, 0, [{ ...output, onCommitted: () => said.push('visible') }])
    broker.fate = (name) => (name === 'produce' ? { refusedWith: 'UNKNOWN_SERVER_ERROR' } : undefined)
    await commit(1).catch(() => {})
    expect(said).toEqual([])
    broker.fate = () => undefined
    await commit(1)
    expect([said, broker.committed]).toEqual([['visible'], ['a']])
  })

  test('is never said where its partition was taken away before', async () => {
    const { commits, partition, topics, commit, fated } = await setUp()
    const said: string[] = []
    const output = topics.encode(letters, { key: 'k', value: 'a' }, settings)
    commits.finished(partition, 0, [{ ...output, onCommitted: () => said.push('visible') }])
    fated({ refusedWith: 'UNKNOWN_SERVER_ERROR' })
    commits.released(partition)
    await commit(1).catch(() => {})
    expect(said).toEqual([])
  })

  test('is written in another form where the topic refuses the first', async () => {
    const { broker, commits, partition, topics, commit, heard } = await setUp()
    const encode = (value: string) => topics.encode(letters, { key: 'k', value }, settings)
    const again = async (): Promise<Output> => encode('small')
    commits.finished(partition, 0, [
      encode('other'),
      { ...encode('large'.repeat(9)), again },
      { ...encode('l'), again },
    ])
    let refusals = 1
    broker.fate = (name) => (name === 'produce' && refusals-- > 0 ? { refusedWith: 'MESSAGE_TOO_LARGE' } : undefined)
    broker.refusedTopic = 'letters'
    expect(await commit(1)).toEqual([])
    expect(heard).toContain('aborted')
    expect(await commit(1)).toEqual(committed)
    expect(broker.committed).toEqual(['other', 'small', 'l'])
  })

  test('ends the pipe where there is no other form', async () => {
    const { broker, commits, partition, topics, commit } = await setUp()
    const refused = new Error('in no form')
    const again = (): Promise<Output> => Promise.reject(refused)
    commits.finished(partition, 0, [{ ...topics.encode(letters, { key: 'k', value: 'a' }, settings), again }])
    broker.fate = (name) => (name === 'produce' ? { refusedWith: 'MESSAGE_TOO_LARGE' } : undefined)
    broker.refusedTopic = 'letters'
    await expect(commit(1)).rejects.toBe(refused)
  })

  test('makes a topic again that is gone, after the abort', async () => {
    const { broker, commits, partition, topics, commit } = await setUp()
    const made: string[] = []
    const output = topics.encode(letters, { key: 'k', value: 'a' }, settings)
    commits.finished(partition, 0, [{ ...output, remake: async () => void made.push('letters') }])
    broker.fate = (name) => (name === 'produce' ? { refusedWith: 'UNKNOWN_TOPIC_OR_PARTITION' } : undefined)
    await commit(1).catch(() => {})
    expect(made).toEqual(['letters'])
  })
})

describe('a record whose output its topic refuses', () => {
  /** Commits until all is committed. */
  async function commitAll({ broker, commit }: Awaited<ReturnType<typeof setUp>>, offset: number): Promise<void> {
    for (let count = 0; count < 30 && broker.offset !== offset; count++) await commit(offset)
  }

  test('becomes a dead letter in the place of its outputs, where the settings tell', async () => {
    const set = await setUp()
    for (const [offset, value] of ['a', 'x'.repeat(2_000), 'c'].entries()) set.returned(offset, value)
    set.broker.configs = { 'max.message.bytes': '1000' }
    set.broker.maxBatchBytes = 1_000
    await commitAll(set, 3)
    expect(set.broker.committed.toSorted()).toEqual(['a', 'c', 'dead 1: OutputRefusedError'])
    expect(set.heard.filter((one) => one === 'aborted')).toHaveLength(1)
    expect(set.intake.inspect()).toMatchObject({ records: 0, bytes: 0 })
  })

  test('is found among others by smaller batches, where no settings tell', async () => {
    const set = await setUp()
    const values = Array.from({ length: 40 }, (_, n) => (n === 17 ? 'x'.repeat(2_000) : `${n}`))
    for (const [offset, value] of values.entries()) set.returned(offset, value)
    set.broker.maxBatchBytes = 1_000
    await commitAll(set, 40)
    const others = values.filter((_, n) => n !== 17)
    expect(set.broker.committed.toSorted()).toEqual([...others, 'dead 17: OutputRefusedError'].toSorted())
  })

  test('keeps no other partition from its commit while it is read again', async () => {
    const set = await setUp()
    const { clock, broker, commits, intake, topics, entry, heard } = set
    const other = new AssignedPartition(source, 'id', 1, 2)
    other.phase = 'active'
    intake.add(other)
    let failures = 2
    set.readsAgain(async () => {
      if (failures-- > 0) throw new ConnectionError('source', 'no leader')
      return undefined
    })
    set.returned(0, 'x'.repeat(2_000))
    broker.maxBatchBytes = 1_000
    expect(await set.commit(1)).toEqual([])
    commits.finished(other, 0, [topics.encode(letters, { key: 'k', value: 'b' }, { nowMs: 1, compression: 'none' })])
    const committedOther = [{ topic: 'source', partition: 1, errorCode: 0 }]
    const both = [entry(1), { ...entry(1), owner: other, partition: 1 }]
    expect(await settle(clock, commits.commit(both))).toEqual(committedOther)
    expect(broker.committed).toEqual(['b'])
    await clock.advanceAsync(1_000)
    expect(heard.filter((one) => one === 'read again')).toHaveLength(2)
    await commitAll(set, 1)
    expect(await set.commit(1)).toEqual(committed)
    expect(broker.committed).toEqual(['b', 'dead 0: OutputRefusedError'])
  })

  test('is forgotten where its partition is taken away meanwhile', async () => {
    const set = await setUp()
    const { broker, commits, partition, clock } = set
    set.readsAgain(() => new Promise(() => {}))
    set.returned(0, 'x'.repeat(2_000))
    broker.maxBatchBytes = 1_000
    await set.commit(1)
    partition.phase = 'released'
    commits.released(partition)
    await clock.advanceAsync(1_000)
    expect(await set.commit(1)).toEqual([])
    expect(broker.committed).toEqual([])
    expect(commits.isFull).toBe(false)
  })
})

describe.each([1, 2] as const)(
  'with version %d, an output topic that was created again with fewer partitions',
  (version) => {
    const settings = { nowMs: 1, compression: 'lz4' } as const

    async function withoutPartition1() {
      const set = await setUp(version)
      const recreate = (): void => {
        set.broker.partitions = 1
        set.broker.generation++
      }
      return { ...set, recreate }
    }

    test('fails the records whose outputs name a partition that it has no more', async () => {
      const { broker, returned, commit, heard, recreate } = await withoutPartition1()
      for (const [offset, value] of ['a', 'b', 'c'].entries()) returned(offset, value, offset % 2)
      recreate()
      for (let count = 0; count < 5 && broker.offset !== 3; count++) await commit(3)
      expect(broker.committed.toSorted()).toEqual(['a', 'c', 'dead 1: OutputRefusedError'])
      expect(heard.filter((one) => one === 'aborted')).toHaveLength(1)
    })

    test('gets dead letters by their keys instead', async () => {
      const { broker, commits, partition, topics, commit, recreate } = await withoutPartition1()
      const encode = (place: { partition?: number }) =>
        topics.encode(letters, { key: 'k', value: 'a', ...place }, settings)
      commits.finished(partition, 0, [{ ...encode({ partition: 1 }), again: async () => encode({}) }])
      recreate()
      expect(await commit(1)).toEqual([])
      expect(await commit(1)).toEqual(committed)
      expect(broker.committed).toEqual(['a'])
    })

    test('gets what only its key had led there with the next transaction', async () => {
      const { broker, commits, partition, topics, commit, recreate } = await withoutPartition1()
      const keys = ['0', '1', '2', '3', '4', '5']
      const outputs = keys.map((key) => topics.encode(letters, { key, value: key }, settings))
      commits.finished(partition, 0, outputs)
      recreate()
      await expect(commit(1)).rejects.toMatchObject({ outcome: 'aborted', retriable: true })
      expect(await commit(1)).toEqual(committed)
      expect(broker.committed).toEqual(keys)
    })
  },
)

test('outputs of one partition are compressed each as they were', async () => {
  const { topics, broker, commits, partition, commit } = await setUp()
  const encode = (value: string) => topics.encode(letters, { key: 'k', value }, { nowMs: 1, compression: 'lz4' })
  const compressions = ['zstd', undefined, 'gzip', 'gzip'] as const
  const outputs = compressions.map((compression, index) => ({ ...encode(String(index)), compression }))
  commits.finished(partition, 0, outputs)
  await commit(1)
  expect(broker.committed).toEqual(['0', '1', '2', '3'])
})

describe('offsets and outputs', () => {
  test('are committed together, and let handlers begin that had to wait', async () => {
    const { broker, commits, intake, finish, commit, heard } = await setUp()
    for (const [offset, value] of ['a', 'b', 'c'].entries()) finish(offset, value)
    expect(commits.isFull).toBe(true)
    expect(await commit(3)).toEqual(committed)
    expect(commits.isFull).toBe(false)
    expect(heard).toEqual(['due', 'room', 'committed'])
    expect(broker).toMatchObject({ committed: ['a', 'b', 'c'], offset: 3 })
    expect(intake.inspect()).toMatchObject({ records: 0, bytes: 0 })
  })

  test('whose end was done and never answered are committed, by what the group says', async () => {
    const { broker, finish, commit, fated, heard } = await setUp()
    finish(0, 'a')
    fated('answer_lost', ...lost)
    expect(await commit(1)).toEqual(committed)
    fated()
    finish(1, 'b')
    expect(await commit(2)).toEqual(committed)
    expect(broker.committed).toEqual(['a', 'b'])
    expect(heard).toEqual(['room', 'committed', 'room', 'committed'])
  })

  test('whose end was lost are written again, before what came since', async () => {
    const { broker, finish, commit, fated, heard } = await setUp()
    finish(0, 'a')
    fated(...lost)
    await expect(commit(1)).rejects.toMatchObject({ outcome: 'unknown' })
    fated()
    finish(1, 'b')
    expect(await commit(2)).toEqual(committed)
    expect(broker.committed).toEqual(['a', 'b'])
    expect(heard).toEqual(['room', 'aborted', 'room', 'committed'])
  })

  test('of a partition that is gone are not written', async () => {
    const { broker, commits, partition, finish, commit } = await setUp()
    finish(0, 'a')
    partition.phase = 'released'
    commits.released(partition)
    expect(await commit(1)).toEqual([])
    expect(broker).toMatchObject({ committed: [], offset: undefined })
  })

  test('of one record are committed however many and large they are beside the gate', async () => {
    const { clock, broker, commits, partition, intake, entry, topics } = await setUp()
    const values = Array.from({ length: 1_001 }, (_, n) => String(n).padEnd(2_000))
    const outputs = values.map((value) => topics.encode(letters, { key: 'k', value }, { nowMs: 1, compression: 'lz4' }))
    commits.finished(partition, 0, outputs)
    expect(commits.isFull).toBe(true)
    expect(await settle(clock, commits.commit([entry(1)]))).toEqual(committed)
    expect(broker.committed).toEqual(values)
    expect(intake.inspect()).toMatchObject({ records: 0, bytes: 0 })
  })

  test('that are too long for the group are told partition by partition', async () => {
    const { broker, finish, commit } = await setUp()
    broker.refusesOffsets = 'OFFSET_METADATA_TOO_LARGE'
    finish(0, 'a')
    expect(await commit(1)).toEqual([{ topic: 'source', partition: 0, errorCode: 12 }])
    broker.refusesOffsets = undefined
    expect(await commit(1)).toEqual(committed)
    expect(broker.committed).toEqual(['a'])
  })

  test('of a partition whose map is too long keep nobody waiting, and are committed when it is shorter', async () => {
    const { clock, broker, commits, partition, intake, finish, entry, topics } = await setUp()
    const other = new AssignedPartition(source, 'id', 1, 2)
    other.phase = 'active'
    intake.add(other)
    const long = (length: number): CommitEntry => ({ ...entry(0), metadata: 'm'.repeat(length) })
    const otherEntry: CommitEntry = { ...entry(1), owner: other, partition: 1 }
    broker.maxMetadataLength = 1_000
    for (const [offset, value] of ['b', 'c', 'd'].entries()) finish(offset + 1, value)
    commits.finished(other, 0, [topics.encode(letters, { key: 'k', value: 'a' }, { nowMs: 1, compression: 'lz4' })])
    const refused = [{ topic: 'source', partition: 0, errorCode: 12 }]
    expect(await settle(clock, commits.commit([long(1_500), otherEntry]))).toEqual(refused)
    partition.mapBudget.refused(1_500)
    const committedOther = [{ topic: 'source', partition: 1, errorCode: 0 }]
    expect(await settle(clock, commits.commit([long(1_500), otherEntry]))).toEqual(committedOther)
    expect(broker.committed).toEqual(['a'])
    // Whoever keeps the map long has to be able to begin.
    expect(commits.isFull).toBe(false)
    expect(await settle(clock, commits.commit([long(1_500)]))).toEqual([])
    expect(await settle(clock, commits.commit([long(500)]))).toEqual(committed)
    expect(broker.committed).toEqual(['a', 'b', 'c', 'd'])
    expect(intake.inspect()).toMatchObject({ records: 0, bytes: 0 })
  })

  test('of a partition that was lost while their handler ran are not kept', async () => {
    const { commits, partition, finish } = await setUp()
    partition.phase = 'released'
    commits.released(partition)
    for (const offset of [0, 1, 2]) finish(offset, 'late')
    expect(commits.isFull).toBe(false)
  })

  test('of a partition that is gone let the handlers of others begin', async () => {
    const { commits, partition, finish, heard } = await setUp()
    for (const offset of [0, 1, 2]) finish(offset, 'a')
    expect(commits.isFull).toBe(true)
    partition.phase = 'released'
    commits.released(partition)
    expect(commits.isFull).toBe(false)
    expect(heard).toEqual(['due', 'room'])
  })

  test('are as large as half of the gate at most, until a commit is due', async () => {
    const { commits, finish, commit, heard } = await setUp()
    finish(0, 'x'.repeat(400_000))
    expect(commits.isFull).toBe(false)
    finish(1, 'x'.repeat(100_000))
    expect(commits.isFull).toBe(true)
    expect(heard).toEqual(['due'])
    expect(await commit(2)).toEqual(committed)
    expect(commits.isFull).toBe(false)
  })
})
