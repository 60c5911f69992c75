import { describe, expect, it } from 'vitest'
import { defaultBackOff, restartDelayMs } from './back-off.ts'

describe('the wait before a restart', () => {
  it('doubles with each quick end and is bounded', () => {
    const waits = [1, 2, 3, 6, 7, 1_000].map((failures) => restartDelayMs(defaultBackOff, failures))
    expect(waits).toEqual([250, 500, 1_000, 8_000, 10_000, 10_000])
  })
})
