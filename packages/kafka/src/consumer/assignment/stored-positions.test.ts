import { SluiceError } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { parseConsumerOptions } from '../options.ts'
import type { PositionStore, StoredPartition } from '../position-store.ts'
import { letters, openSession } from '../testing/open-session.ts'

/** Knows these positions by partition, and what it was told. */
function fakeStore(positions: readonly (number | null)[], failures: Error[] = []) {
  const assigned: StoredPartition[] = []
  const released: StoredPartition[] = []
  const store: PositionStore = {
    assigned: (partitions) => {
      const failure = failures.shift()
      if (failure !== undefined) return Promise.reject(failure)
      assigned.push(...partitions)
      return Promise.resolve(partitions.map(({ partition }) => positions[partition]!))
    },
    released: (partition) => void released.push(partition),
  }
  return { store, assigned, released }
}

describe('a store of positions', () => {
  test('says where partitions begin, whatever the group has committed; where it knows none, the group does', async () => {
    const { store, assigned, released } = fakeStore([2, null])
    const seen: string[] = []
    const opened = await openSession(({ partition, offset }) => void seen.push(`${partition}/${offset}`), {
      positionStore: store,
    })
    const { broker, session, pass, heard, close } = opened
    for (const partition of [0, 1]) {
      broker.write(letters.name, partition, ['a', 'b', 'c'])
      broker.committed.set(`${letters.name}/${partition}`, 1)
    }
    broker.assign(letters.name, [0, 1])
    await session.start()
    await pass(3_000)
    expect(seen.toSorted()).toEqual(['0/2', '1/1', '1/2'])
    expect(assigned.map(({ topic, partition }) => `${topic}/${partition}`)).toEqual(['letters/0', 'letters/1'])
    expect(await Promise.all(assigned.map((one) => settle(one.confirm(), pass)))).toEqual(['mine', 'mine'])
    expect(heard('reset')).toEqual([])
    await close()
    expect(released).toEqual(assigned)
    expect(await assigned[0]!.confirm()).toBe('gone')
  })

  test('is asked again after an error that passes, and stops the consumer with any other', async () => {
    const passing = new SluiceError('away', 'away', { retriable: true })
    const { store } = fakeStore([0, 0], [passing, passing])
    const first = await openSession(() => {}, { positionStore: store })
    first.broker.assign(letters.name, [0, 1])
    await first.session.start()
    await first.pass(3_000)
    expect(first.heard('assigned')).toHaveLength(1)
    expect(first.failures).toEqual([])
    await first.close()

    const fatal = new SluiceError('broken', 'broken')
    const second = await openSession(() => {}, { positionStore: fakeStore([0, 0], [fatal]).store })
    second.broker.assign(letters.name, [0, 1])
    await second.session.start()
    await second.pass(3_000)
    expect(second.failures).toEqual([fatal])
    await second.close()
  })

  test('with a position that the log does not have stops the consumer, and resets nothing', async () => {
    const { store } = fakeStore([7, 0])
    const { broker, session, pass, heard, failures, close } = await openSession(() => {}, { positionStore: store })
    broker.assign(letters.name, [0, 1])
    await session.start()
    await pass(3_000)
    expect(failures).toMatchObject([{ code: 'offset_outside_log', partition: 0, offset: 7, logStart: 0, logEnd: 0 }])
    expect(heard('reset')).toEqual([])
    await close()
  })

  test('does not go with a retry topic, and has both of its functions', () => {
    const options = { group: 'g', topics: [letters], order: 'key' as const }
    const { store } = fakeStore([])
    const withRetries = { ...options, positionStore: store, retry: { topicAfterMs: 1 } }
    expect(() => parseConsumerOptions(withRetries)).toThrow(expect.objectContaining({ field: 'retry.topicAfterMs' }))
    const half = { ...options, positionStore: { released: () => {} } as unknown as PositionStore }
    expect(() => parseConsumerOptions(half)).toThrow(expect.objectContaining({ field: 'positionStore' }))
  })
})

async function settle<T>(promise: Promise<T>, pass: (ms: number) => Promise<void>): Promise<T> {
  await pass(1_000)
  return await promise
}
