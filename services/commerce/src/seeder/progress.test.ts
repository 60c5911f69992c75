import { expect, it } from 'vitest'
import { progressLine } from './progress.ts'

it('shows how much is done, and all of it only at the end', () => {
  expect(progressLine(15_000, 30_000)).toBe('seeding [###############---------------]  50 %  15000/30000')
  expect(progressLine(29_999, 30_000)).toContain(' 99 %')
  expect(progressLine(30_000, 30_000)).toContain('100 %')
  expect(progressLine(0, 0)).toContain('100 %')
})
