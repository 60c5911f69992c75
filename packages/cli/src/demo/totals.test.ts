import { describe, expect, it } from 'vitest'
import { Total } from './totals.ts'

describe('Total', () => {
  it('goes on where a killed process left it', () => {
    const total = new Total()
    total.note(100, 0)
    total.note(300, 1_000)
    total.note(50, 2_000)
    expect(total.value).toBe(350)
    expect(total.perSecond).toBe(50)
  })

  it('has the rate between the last two notes', () => {
    const total = new Total()
    total.note(0, 0)
    total.note(4_000, 2_000)
    expect(total.perSecond).toBe(2_000)
  })

  it('takes no rate from reports that come close together', () => {
    const total = new Total()
    total.note(0, 0)
    total.note(1_000, 1_000)
    total.note(1_010, 1_001)
    expect(total.perSecond).toBe(1_000)
    total.note(2_000, 2_000)
    expect(total.perSecond).toBe(1_000)
  })

  it('has no rate once nothing comes any more', () => {
    const total = new Total()
    total.note(0, 0)
    total.note(1_000, 1_000)
    total.expire(3_000, 3_000)
    expect(total.perSecond).toBe(1_000)
    total.expire(4_001, 3_000)
    expect(total.perSecond).toBe(0)
    expect(total.value).toBe(1_000)
  })
})
