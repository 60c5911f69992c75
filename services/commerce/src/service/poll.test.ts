import { ManualClock } from '@sluice/flow'
import { describe, expect, it } from 'vitest'
import { poll } from './poll.ts'

describe('poll', () => {
  it('looks again after its interval, and no more once it is stopped', async () => {
    const clock = new ManualClock()
    let looks = 0
    const polled = poll(() => Promise.resolve(++looks), 1_000, clock)
    await clock.advanceAsync(2_500)
    expect(polled.latest).toBe(3)
    polled.stop()
    await clock.advanceAsync(5_000)
    expect(looks).toBe(3)
  })

  it('looks less often where a look takes long, at least every half minute', async () => {
    const clock = new ManualClock()
    const starts: number[] = []
    const slow = (tookMs: number) => async () => {
      starts.push(clock.monotonicMs())
      await clock.sleep(tookMs)
      return true
    }
    const polled = poll(slow(100), 1_000, clock)
    await clock.advanceAsync(5_100)
    polled.stop()
    expect(starts).toEqual([0, 5_100])
    starts.length = 0
    const slower = poll(slow(10_000), 1_000, clock)
    await clock.advanceAsync(40_000)
    slower.stop()
    expect(starts).toEqual([5_100, 45_100])
  })

  it('forgets what it knew when a look fails, and looks again soon', async () => {
    const clock = new ManualClock()
    let looks = 0
    const polled = poll(
      async () => {
        if (++looks === 2) {
          await clock.sleep(5_000)
          throw new Error('away')
        }
        return looks
      },
      1_000,
      clock,
    )
    await clock.advanceAsync(6_000)
    expect(polled.latest).toBeUndefined()
    await clock.advanceAsync(1_000)
    expect(polled.latest).toBe(3)
    polled.stop()
  })
})
