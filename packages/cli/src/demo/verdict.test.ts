import { describe, expect, it } from 'vitest'
import { isComplete, judge, verdictLine } from './verdict.ts'

const complete = { acknowledged: 100, missing: 0, examples: [] }

describe('the verdict', () => {
  it('is good only when every acknowledged record is in the topic and in PostgreSQL', () => {
    expect(isComplete(judge('orders', complete, { before: 5, after: 105 }, 100))).toBe(true)
    expect(isComplete(judge('orders', complete, { before: 5, after: 104 }, 100))).toBe(false)
    expect(isComplete(judge('orders', { ...complete, missing: 1 }, { before: 5, after: 105 }, 100))).toBe(false)
  })

  it('does not mind a record whose acknowledgement was lost with a killed generator', () => {
    expect(isComplete(judge('orders', complete, { before: 0, after: 130 }, 90))).toBe(true)
  })

  it('names the figures and a few of the missing', () => {
    const audit = { acknowledged: 1_000, missing: 2, examples: ['a', 'b'] }
    expect(verdictLine(judge('orders', audit, { before: 0, after: 1_000 }, 1_000))).toBe(
      'orders: 1,000 acknowledged, 1,000 in the topic, 998 of the acknowledged in PostgreSQL, 2 missing, such as a, b',
    )
  })

  it('is not good where the ledger knows less than the generator has reported', () => {
    const empty = { acknowledged: 0, missing: 0, examples: [] }
    expect(isComplete(judge('orders', empty, { before: 0, after: 100 }, 100))).toBe(false)
    const short = judge('orders', complete, { before: 0, after: 101 }, 101)
    expect(isComplete(short)).toBe(false)
    expect(verdictLine(short)).toContain('the ledger has only 100 of the 101 that were reported as acknowledged')
  })
})
