import { describe, expect, test } from 'vitest'
import { badBatches, leaping } from '../consumer/testing/bad-batches.ts'
import { openSession } from '../consumer/testing/open-session.ts'

const limits = { maxDecodedBytes: 65_536, maxHeaders: 10 }
const nothing = { bytes: 0, records: 0, expandedBytes: 0 }
const orders = ['partition', 'key'] as const

const cases = orders.flatMap((order) => Object.keys(badBatches()).map((what) => [what, order] as const))

describe('what cannot be read', () => {
  test.each(cases)('(%s, order by %s) is skipped, told, and finished for the group', async (what, order) => {
    const seen: string[] = []
    const opened = await openSession(({ value, offset }) => seen.push(`${offset} ${value}`), { order, ...limits })
    const { broker, session, pass, heard, close, failures } = opened
    broker.write('letters', 0, ['a', 'b'])
    broker.writeBytes('letters', 0, 3, badBatches()[what]!)
    broker.write('letters', 0, ['c'])
    broker.writeBytes('letters', 0, 3, badBatches()[what]!)
    broker.assign('letters', [0])
    await session.start()
    await pass(6_000)
    expect(failures).toEqual([])
    expect(seen).toEqual(['0 a', '1 b', '5 c'])
    const told = heard('unreadable') as { offset: number; endOffset: number; error: { code: string } }[]
    expect(told.map(({ error }) => error.code)).toEqual(told.map(() => 'batch_unreadable'))
    const offsets = told.flatMap(({ offset, endOffset }) =>
      Array.from({ length: endOffset - offset }, (_, i) => offset + i),
    )
    expect(offsets).toEqual([2, 3, 4, 6, 7, 8])
    expect(broker.committedOf('letters', 0)).toBe(9)
    expect(session.inspect().unreadable).toEqual([{ topic: 'letters', skipped: told.length }])
    await close()
    expect(session.inspect().gate).toMatchObject(nothing)
  })

  test.each(Object.keys(badBatches()))("(%s) ends the consumer where `unreadable` is 'stop'", async (what) => {
    const { broker, session, pass, heard, failures, close } = await openSession(() => {}, {
      unreadable: 'stop',
      ...limits,
    })
    broker.write('letters', 0, ['a', 'b'])
    broker.writeBytes('letters', 0, 3, badBatches()[what]!)
    broker.assign('letters', [0])
    await session.start()
    await pass(3_000)
    expect(failures[0]).toMatchObject({ code: 'batch_unreadable', topic: 'letters', partition: 0, offset: 2 })
    expect(failures[0]!.message).toContain('option unreadable')
    expect(heard('unreadable')).toEqual([])
    await close()
    expect(broker.committedOf('letters', 0)).toBe(2)
  })

  test('names an offset at least, where the record before took those that are lost', async () => {
    const { broker, session, pass, heard, close } = await openSession(() => {})
    // The first of three records has the offset of the third.
    broker.writeBytes('letters', 0, 3, badBatches()['an offset before its beginning']!)
    broker.writeBytes('letters', 0, 3, leaping())
    broker.assign('letters', [0])
    await session.start()
    await pass(3_000)
    expect(heard('unreadable')).toMatchObject([
      { offset: 0, endOffset: 3 },
      { offset: 5, endOffset: 6 },
    ])
    await close()
    expect(broker.committedOf('letters', 0)).toBe(6)
  })

  test('with a bad checksum is fetched once more: it may have been spoilt on its way', async () => {
    const seen: string[] = []
    const { broker, session, pass, heard, close } = await openSession(({ value }) => seen.push(value))
    broker.write('letters', 0, ['a', 'b'])
    broker.write('letters', 0, ['c', 'd'])
    broker.write('letters', 0, ['e'])
    broker.spoil = (records) => (records[records.length - 12 - 70]! ^= 1)
    broker.assign('letters', [0])
    await session.start()
    await pass(3_000)
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(heard('unreadable')).toEqual([])
    await close()
    expect(session.inspect().gate).toMatchObject(nothing)
  })
})
