import fc from 'fast-check'
import { expect, test } from 'vitest'
import { divideBudget } from './budget-division.ts'

test.each([
  [1, 0, { ofHigh: 0, ofOthers: 1 / 2, common: 1 / 2 }],
  [4, 0, { ofHigh: 0, ofOthers: 1 / 8, common: 1 / 2 }],
  [4, 1, { ofHigh: 1 / 4, ofOthers: 1 / 8, common: 3 / 8 }],
  [101, 1, { ofHigh: 1 / 4, ofOthers: 3 / 800, common: 3 / 8 }],
  [3, 2, { ofHigh: 1 / 6, ofOthers: 1 / 6, common: 1 / 2 }],
  [2, 2, { ofHigh: 1 / 4, ofOthers: 1 / 4, common: 1 / 2 }],
])('%i partitions, %i of them high: %o', (partitions, high, expected) => {
  const division = divideBudget(partitions, high)
  for (const part of ['ofHigh', 'ofOthers', 'common'] as const) expect(division[part]).toBeCloseTo(expected[part], 12)
})

test('however it is divided, it is the whole; none high owns less than another one, nor all of them less than a quarter together', () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), (high, others) => {
      fc.pre(high + others > 0)
      const { ofHigh, ofOthers, common } = divideBudget(high + others, high)
      expect(ofHigh * high + ofOthers * others + common).toBeCloseTo(1, 12)
      expect(common).toBeGreaterThanOrEqual(0.375 - 1e-12)
      if (high > 0) expect(ofHigh * high).toBeGreaterThanOrEqual(0.25 - 1e-12)
      if (high > 0) expect(ofHigh).toBeGreaterThanOrEqual(ofOthers)
    }),
  )
})
