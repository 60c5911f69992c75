import { describe, expect, test } from 'vitest'
import { originOf, withOrigin, withoutOrigin } from './origin.ts'
import { parseConsumerOptions, type ResetPolicy } from '../options.ts'
import { letters, openSession } from '../testing/open-session.ts'

test('a topic that is created after the consumer began is read from its first record, though the policy is latest', async () => {
  const values: string[] = []
  const { broker, session, pass, close } = await openSession(({ value }) => values.push(value), {
    reset: 'latest',
    partitions: 0,
  })
  await session.start()
  await pass(100)
  broker.createTopic('letters', 1)
  broker.write('letters', 0, ['a'])
  broker.assign('letters', [0])
  await pass(2_000)
  expect(values).toEqual(['a'])
  await close()
})

describe('a group that begins with several members', () => {
  /** The first member has all partitions, and the lookup of positions of the last two takes long. */
  async function firstMember() {
    const values: string[] = []
    const opened = await openSession(({ value }) => values.push(value), { reset: 'latest', partitions: 4 })
    const { broker, session, pass } = opened
    for (const partition of [0, 1, 2, 3]) broker.write('letters', partition, ['old'])
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(100)
    expect([...broker.committed.keys()]).toEqual(['letters/0', 'letters/1'])
    return { ...opened, values }
  }

  test('does not take partitions for new that it has not committed yet', async () => {
    const first = await firstMember()
    const { broker } = first
    // It goes on committing meanwhile.
    broker.write('letters', 0, ['new'])
    await first.pass(1_100)
    expect(first.values).toEqual(['new'])
    const values: string[] = []
    const second = await openSession(({ value }) => values.push(value), { reset: 'latest', on: broker })
    broker.assign('letters', [2, 3])
    await second.session.start()
    await second.pass(500)
    broker.write('letters', 3, ['new'])
    await second.pass(500)
    expect(values).toEqual(['new'])
    await second.close()
    await first.close()
  })

  test('and still takes those for new that were added since', async () => {
    const first = await firstMember()
    const { broker } = first
    await first.close()
    broker.addPartitions('letters', 5)
    broker.write('letters', 4, ['added'])
    const values: string[] = []
    const second = await openSession(({ value }) => values.push(value), { reset: 'latest', on: broker })
    broker.assign('letters', [0, 1, 2, 3, 4])
    await second.session.start()
    await second.pass(500)
    expect(values).toEqual(['added'])
    await second.close()
  })

  test('says so only while some have no commit', async () => {
    const { broker, session, pass, close } = await openSession(() => undefined, { partitions: 2 })
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(100)
    expect([...broker.metadata.values()].map(originOf)).toEqual([2, 2])
    await close()
    const again = await openSession(() => undefined, { on: broker })
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0, 1])
    await again.session.start()
    await again.pass(1_200)
    expect(broker.metadata.get('letters/0')).toBe('')
    await again.close()
  })
})

test('what a commit says of the beginning is read from any metadata, and leaves the offset map as it was', () => {
  for (const map of ['', 'sluice1:AAAA']) {
    expect(originOf(withOrigin(map, 12))).toBe(12)
    expect(originOf(withOrigin(map, -1))).toBe(-1)
  }
  expect(withoutOrigin(withOrigin('sluice1:AAAA', 3))).toBe('sluice1:AAAA')
  for (const foreign of ['', 'x,of=3', 'sluice1:AAAA,of=', 'sluice1:AAAA,of=-3', 'sluice1:AA,of=x']) {
    expect(originOf(foreign)).toBe(-1)
  }
})

describe('the reset policy', () => {
  async function valuesAfter(reset: ResetPolicy) {
    const values: string[] = []
    const opened = await openSession(({ value }) => values.push(value), { reset, partitions: 2 })
    const { broker, session, pass } = opened
    broker.write('letters', 0, ['a'])
    broker.write('letters', 1, ['b'])
    await broker.clock.advanceAsync(60_000)
    const timeMs = broker.clock.now()
    broker.write('letters', 0, ['c'])
    await broker.clock.advanceAsync(60_000)
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(500)
    return { ...opened, values, timeMs }
  }

  test('by time starts at the first record of that time or later, at the end where there is none', async () => {
    const { values, close, broker, heard } = await valuesAfter({ agoMs: 90_000 })
    expect(values).toEqual(['c'])
    expect(broker.committedOf('letters', 1)).toBe(1)
    expect(heard('reset')).toMatchObject([
      { partition: 0, offset: 1, reason: 'no_committed_offset' },
      { partition: 1, offset: 1, reason: 'no_committed_offset' },
    ])
    await close()
    const all = await valuesAfter({ timeMs: 0 })
    expect(all.values.toSorted()).toEqual(['a', 'b', 'c'])
    await all.close()
    const none = await valuesAfter({ agoMs: 0 })
    expect(none.values).toEqual([])
    await none.close()
  })

  test('none is an error that names the partitions, and commits nothing', async () => {
    const { values, close, broker, failures } = await valuesAfter('none')
    expect(failures).toHaveLength(1)
    expect(failures[0]).toMatchObject({
      code: 'position_missing',
      group: 'readers',
      partitions: [
        { topic: 'letters', partition: 0 },
        { topic: 'letters', partition: 1 },
      ],
      message: "Group readers has committed no offset for letters/0, letters/1, and reset is 'none'",
    })
    await close()
    expect(values).toEqual([])
    expect(broker.commits).toEqual([])
  })

  test('none is an error too where what was committed is not in the log any more', async () => {
    const opened = await openSession(() => undefined, { reset: 'none', partitions: 1 })
    const { broker, session, pass, close, failures } = opened
    broker.write('letters', 0, ['a'])
    broker.committed.set('letters/0', 7)
    broker.assign('letters', [0])
    await session.start()
    await pass(500)
    expect(failures[0]?.message).toBe(
      "What group readers has committed for letters/0 is not in the log any more, and reset is 'none'",
    )
    await close()
    expect(broker.committedOf('letters', 0)).toBe(7)
  })

  test.each(['newest', { timeMs: -1 }, { timeMs: 1.5 }, { agoMs: '1h' }, { timeMs: 1, agoMs: 1 }, {}, []])(
    '%j is refused',
    (reset) => {
      const options = { group: 'readers', topics: [letters], reset: reset as ResetPolicy }
      expect(() => parseConsumerOptions(options)).toThrow(
        expect.objectContaining({ code: 'config_invalid', field: expect.stringMatching(/^reset/) }),
      )
    },
  )
})
