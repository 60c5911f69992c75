import { describe, expect, it } from 'vitest'
import { Rates } from './rates.ts'

describe('a rate', () => {
  it('is what was added a second since the last look', () => {
    const rates = new Rates()
    expect(rates.next('a', 100, 0)).toBeNull()
    expect(rates.next('a', 150, 500)).toBe(100)
    expect(rates.next('a', 150, 1_500)).toBe(0)
    expect(rates.next('b', 7, 1_500)).toBeNull()
  })

  it('begins anew where the count went back', () => {
    const rates = new Rates()
    rates.next('a', 100, 0)
    expect(rates.next('a', 10, 1_000)).toBeNull()
    expect(rates.next('a', 30, 2_000)).toBe(20)
  })
})
