import { describe, expect, it } from 'vitest'
import { nearest } from './nearest.ts'

describe('a mistaken name', () => {
  it.each([
    ['ordres', 'orders'],
    ['order', 'orders'],
    ['ORDERS', 'orders'],
    ['user-alert', 'user-alerts'],
  ])('%s is taken for %s', (mistaken, meant) => {
    expect(nearest(mistaken, ['user-alerts', 'payments', 'orders'])).toBe(meant)
  })

  it('is taken for nothing where nothing is like it', () => {
    expect(nearest('billing', ['orders', 'payments'])).toBeUndefined()
    expect(nearest('x', [])).toBeUndefined()
  })
})
