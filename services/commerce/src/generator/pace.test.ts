import { ManualClock } from '@sluice/flow'
import { describe, expect, it } from 'vitest'
import { Random } from '../sample/random.ts'
import { bursts, steady, type Pace } from './pace.ts'

function collect(pace: Pace, clock: ManualClock) {
  const seen: { atMs: number; records: number }[] = []
  const done = (async () => {
    for await (const records of pace) seen.push({ atMs: clock.monotonicMs(), records })
  })()
  return { seen, done, total: () => seen.reduce((sum, { records }) => sum + records, 0) }
}

describe('pace', () => {
  it('gives exactly the rate, evenly', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const { seen, done, total } = collect(steady(2_000, { clock, signal: stop.signal }), clock)
    await clock.advanceAsync(10_000)
    stop.abort()
    await done
    expect(total()).toBe(20_000)
    expect(Math.max(...seen.map(({ records }) => records))).toBeLessThanOrEqual(20)
  })

  it('keeps rates below one a second', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const { done, total } = collect(steady(0.5, { clock, signal: stop.signal }), clock)
    await clock.advanceAsync(20_000)
    stop.abort()
    await done
    expect(total()).toBe(10)
  })

  it('makes up for one second of back-pressure and not for more', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const pace = steady(1_000, { clock, signal: stop.signal })
    const first = pace.next()
    await clock.advanceAsync(100)
    await first
    await clock.advanceAsync(60_000)
    const late = pace.next()
    await clock.advanceAsync(TICK_MS)
    // The one that is due, and the arrears of a second.
    expect((await late).value).toBe(1_001)
    stop.abort()
  })

  it('draws bursts and pauses within their bounds', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const plan = { records: [1, 5], pauseMs: [2_000, 8_000] } as const
    const { seen, done } = collect(bursts(plan, new Random(1), { clock, signal: stop.signal }), clock)
    await clock.advanceAsync(600_000)
    stop.abort()
    await done
    const pauses = seen.slice(1).map(({ atMs }, index) => atMs - seen[index]!.atMs)
    expect(seen[0]!.atMs).toBe(0)
    expect(pauses.every((ms) => ms >= 2_000 && ms <= 8_000)).toBe(true)
    expect(seen.every(({ records }) => records >= 1 && records <= 5)).toBe(true)
    expect(seen.length).toBeGreaterThan(75)
  })

  it('ends at once when it is stopped', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const { done } = collect(steady(1, { clock, signal: stop.signal }), clock)
    stop.abort()
    await done
    expect(clock.pending).toBe(0)
  })
})

const TICK_MS = 10
