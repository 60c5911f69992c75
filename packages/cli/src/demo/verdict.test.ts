import { describe, expect, it } from 'vitest'
import { isComplete, judge, verdictLine } from './verdict.ts'

const complete = { acknowledged: 100, missing: 0, examples: [] }

describe('the verdict', () => {
  it('is good only when every acknowledged record is in the topic and in PostgreSQL', () => {
    expect(isComplete(judge('orders', complete, { before: 5, after: 105 }))).toBe(true)
    expect(isComplete(judge('orders', complete, { before: 5, after: 104 }))).toBe(false)
    expect(isComplete(judge('orders', { ...complete, missing: 1 }, { before: 5, after: 105 }))).toBe(false)
  })

  it('does not mind a record whose acknowledgement was lost with a killed generator', () => {
    expect(isComplete(judge('orders', complete, { before: 0, after: 130 }))).toBe(true)
  })

  it('names the figures and a few of the missing', () => {
    const audit = { acknowledged: 1_000, missing: 2, examples: ['a', 'b'] }
    expect(verdictLine(judge('orders', audit, { before: 0, after: 1_000 }))).toBe(
      'orders: 1,000 acknowledged, 1,000 in the topic, 998 of the acknowledged in PostgreSQL, 2 missing, such as a, b',
    )
  })
})
