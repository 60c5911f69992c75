import { ManualClock } from '@sluice/flow'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { text } from '../codecs/text.ts'
import { topic } from '../record/topic.ts'
import { ProducerFencedError, TransactionError } from './errors.ts'
import { OutputTopics } from './output-topics.ts'
import { settle } from './testing/settle.ts'
import { SimulatedTransactions, type Fate, type RequestName } from './testing/simulated-transactions.ts'
import { TransactionWriter } from './transaction-writer.ts'

const letters = topic('letters', { value: text })
const timeoutMs = 10_000

function setUp(version: 1 | 2 = 2) {
  const clock = new ManualClock()
  const broker = new SimulatedTransactions(clock, version)
  const topics = new OutputTopics(broker.cluster, clock)
  const limits = { timeoutMs, batchBytes: 200, compression: 'none' } as const
  const writer = new TransactionWriter({ ...limits, cluster: broker.cluster, clock, topics, transactionalId: 'id' })
  let heartbeats = 0
  const refreshed = async (): Promise<void> => void heartbeats++
  /** A transaction with these values, of several keys, and an offset. */
  const write = async (values: readonly string[], offset: number, memberEpoch = (): number => 1): Promise<void> => {
    if (!topics.isKnown('letters')) await topics.look('letters')
    const outputs = values.map((value) =>
      topics.encode(letters, { key: value.slice(-1), value }, { nowMs: 1, compression: 'lz4' }),
    )
    const member = () => ({ memberId: 'm', memberEpoch: memberEpoch(), instanceId: null })
    const offsets = [{ topic: 'source', partition: 0, offset, leaderEpoch: -1, metadata: '' }]
    await settle(clock, writer.write({ outputs, offsets: { group: 'g', offsets, member, refreshed } }))
  }
  /** The fates of the requests of one kind, in their order. */
  const fated = (name: RequestName, ...fates: Fate[]): void => {
    broker.fate = (asked) => (asked === name ? fates.shift() : undefined)
  }
  const count = (name: RequestName): number => broker.requests.filter((one) => one === name).length
  return { clock, broker, writer, write, fated, count, heartbeats: () => heartbeats }
}

describe.each([1, 2] as const)('a transaction of version %d', (version) => {
  test('writes records and offset together, and goes on under the identity that its end brings', async () => {
    const { broker, write, count } = setUp(version)
    await write(['a', 'b', 'c'], 3)
    await write(['d'], 4)
    expect(broker.committed.toSorted((a, b) => a.localeCompare(b))).toEqual(['a', 'b', 'c', 'd'])
    expect(broker.offset).toBe(4)
    expect(count('init')).toBe(1)
    expect(count('register')).toBe(version === 1 ? 4 : 0)
  })

  test.each(['produce', 'offsets', 'end'] as const)(
    'goes on after an unanswered %s, and under a new identity afterwards',
    async (name) => {
      const { broker, write, fated, count } = setUp(version)
      fated(name, 'answer_lost', 'request_lost')
      await write(['a', 'b'], 2)
      expect(count('init')).toBe(1)
      await write(['c'], 3)
      expect(broker.committed.toSorted((a, b) => a.localeCompare(b))).toEqual(['a', 'b', 'c'])
      expect(count('init')).toBe(2)
    },
  )

  test('that is refused for good is aborted, and the next one has a new identity', async () => {
    const { broker, write, fated, count } = setUp(version)
    fated('produce', { refusedWith: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
    await expect(write(['a'], 1)).rejects.toMatchObject({ outcome: 'aborted', retriable: true })
    expect(count('end')).toBe(0)
    await write(['a'], 1)
    expect(broker.committed).toEqual(['a'])
    expect(count('init')).toBe(2)
  })

  test.each(['MESSAGE_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP'])(
    'with records that every attempt would meet %s with is not to be tried again',
    async (refusedWith) => {
      const { write, fated } = setUp(version)
      fated('produce', { refusedWith })
      await expect(write(['a'], 1)).rejects.toMatchObject({ outcome: 'aborted', retriable: false })
    },
  )

  test('that could not be written in its time says why', async () => {
    const { broker, write } = setUp(version)
    broker.fate = (name) => (name === 'produce' ? { refusedWith: 'UNKNOWN_TOPIC_OR_PARTITION' } : undefined)
    const why = /within 10000 ms: UNKNOWN_TOPIC_OR_PARTITION/
    await expect(write(['a'], 1)).rejects.toMatchObject({ outcome: 'aborted', message: expect.stringMatching(why) })
  })

  test('that waits for an answer says which, and of which broker', async () => {
    const { broker, write, count } = setUp(version)
    await write(['a'], 1)
    const { driver } = broker.cluster
    const produce = driver.produce.bind(driver)
    driver.produce = () => {
      driver.produce = produce
      return new Promise(() => {})
    }
    const why =
      /^a transaction of id was aborted: a transaction could not be written within 10000 ms: Produce was not answered by \S+:\d+ within 10000 ms$/
    await expect(write(['b'], 2)).rejects.toMatchObject({ message: expect.stringMatching(why) })
    expect(count('init')).toBe(2)
  })

  test('says once why it was late', async () => {
    const { broker, write } = setUp(version)
    broker.fate = (name) => (name === 'produce' ? { refusedWith: 'NOT_LEADER_OR_FOLLOWER' } : undefined)
    const error = await write(['a'], 1).catch((why: unknown) => why as Error)
    expect((error as Error).message.match(/NOT_LEADER_OR_FOLLOWER/g)).toHaveLength(1)
  })

  test('ends the producer when another has taken over', async () => {
    const { broker, write, fated, count } = setUp(version)
    await write(['a'], 1)
    broker.fence()
    await expect(write(['b'], 2)).rejects.toThrow(ProducerFencedError)
    fated('init')
    await expect(write(['b'], 2)).rejects.toThrow(ProducerFencedError)
    expect(count('init')).toBe(1)
    expect(broker.committed).toEqual(['a'])
  })

  test('that was too old for the broker is aborted, and can be written again', async () => {
    const { clock, broker, write } = setUp(version)
    broker.fate = (name) => {
      if (name !== 'end') return undefined
      clock.advance(timeoutMs)
      broker.fence()
      broker.fate = () => undefined
      return undefined
    }
    await expect(write(['a'], 1)).rejects.toMatchObject({ outcome: 'aborted', retriable: true })
    await write(['a'], 1)
    expect(broker.committed).toEqual(['a'])
  })

  test('that was open while the machine slept is aborted, and can be written again', async () => {
    const { clock, broker, write } = setUp(version)
    broker.fate = (name) => {
      if (name !== 'end') return undefined
      // The monotonic clock stands still meanwhile.
      clock.shiftWall(60_000)
      broker.fence()
      broker.fate = () => undefined
      return undefined
    }
    await expect(write(['a'], 1)).rejects.toMatchObject({ outcome: 'aborted', retriable: true })
    await write(['a'], 1)
    expect(broker.committed).toEqual(['a'])
  })

  test('whose end is never answered may be committed', async () => {
    const { broker, write, fated } = setUp(version)
    fated('end', 'answer_lost', ...Array.from({ length: 1_000 }, () => 'request_lost' as const))
    await expect(write(['a'], 1)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(broker.committed).toEqual(['a'])
  })

  test('whose end failed within the broker may be committed', async () => {
    const { broker, write, fated } = setUp(version)
    fated('end', { doneWith: 'UNKNOWN_SERVER_ERROR' })
    await expect(write(['a'], 1)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(broker.committed).toEqual(['a'])
  })

  test('commits its offsets after a heartbeat where the epoch of the member was stale', async () => {
    const { broker, write, heartbeats, count } = setUp(version)
    broker.memberEpoch = 2
    await write(['a'], 1, () => 1 + heartbeats())
    expect(heartbeats()).toBe(1)
    expect(count('init')).toBe(1)
    expect(broker.offset).toBe(1)
  })

  test('whatever is lost on the way: what is written again when it was aborted is there once, in order', async () => {
    const fates = fc.constantFrom<Fate>(
      undefined,
      undefined,
      undefined,
      'request_lost',
      'answer_lost',
      { refusedWith: 'CONCURRENT_TRANSACTIONS' },
      { refusedWith: 'NOT_COORDINATOR' },
      { refusedWith: 'TRANSACTION_ABORTABLE' },
      { refusedWith: 'UNKNOWN_SERVER_ERROR' },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fates, { maxLength: 60 }), async (script) => {
        const { broker, write } = setUp(version)
        const left = [...script]
        // Only an end that is refused for good has nothing in doubt.
        broker.fate = (name) => {
          const fate = left.pop()
          return name === 'init' && typeof fate === 'object' ? undefined : fate
        }
        for (let n = 0; n < 8; n++) {
          const values = [`${n}a`, `${n}b`, `${n}a'`]
          for (let isWritten = false; !isWritten;) {
            try {
              await write(values, n)
              isWritten = true
            } catch (error) {
              if (!(error instanceof TransactionError)) throw error
              // What the offsets of a group tell a pipe.
              isWritten = error.outcome === 'unknown' && broker.offset === n
            }
          }
        }
        expect(broker.committed).toHaveLength(24)
        for (const key of ['a', 'b', "'"]) {
          const own = broker.committed.filter((value) => value.endsWith(key))
          expect(own).toEqual(own.toSorted((a, b) => a.localeCompare(b)))
          expect(new Set(own).size).toBe(8)
        }
      }),
      { numRuns: 60 },
    )
  })
})
