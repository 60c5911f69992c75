import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aimdLimit, fixedLimit, gradientLimit, stepLimit, windowedLimit } from '../index.ts'
import type { GradientOptions, GradientState, Limit, LimitSample, LimitState } from '../index.ts'
import { numRuns } from '../testing/runs.ts'

const busy = (rttMs: number, more: Partial<LimitSample> = {}): LimitSample => ({
  rttMs,
  inFlight: 1_000,
  dropped: false,
  ...more,
})

function feed<S extends LimitState>(limit: Limit<S>, sample: LimitSample, times: number, from = limit.start()): S {
  let state = from
  for (let i = 0; i < times; i++) state = limit.next(state, sample)
  return state
}

describe.each([
  ['fixed', fixedLimit(50), 50, 50],
  ['step', stepLimit(), 10, 200],
  ['aimd', aimdLimit(), 20, 200],
  ['gradient2', gradientLimit(), 20, 200],
] as const)('%s', (name, limit, min, max) => {
  const any = limit as Limit

  test('has its name and starts where it is told', () => {
    expect(any.name).toBe(name)
    expect(any.start(33).limit).toBe(33)
  })

  test('stays within its bounds whatever the samples', () => {
    const sample = fc.record({
      rttMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true }), fc.constantFrom(1, 99, 101, 1_001)),
      inFlight: fc.nat(400),
      dropped: fc.boolean(),
      saturated: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(sample, fc.integer({ min: 1, max: 300 })), { maxLength: 12 }), (runs) => {
        let state = any.start()
        for (const [each, times] of runs) {
          state = feed(any, each, times, state)
          expect(state.limit).toBeGreaterThanOrEqual(min)
          expect(state.limit).toBeLessThanOrEqual(max)
        }
      }),
      { numRuns: numRuns(100) },
    )
  })

  test('is never raised by samples of a saturated loop, or while less than half of it is used', () => {
    for (const sample of [busy(1, { saturated: true }), busy(1, { inFlight: 0.49 * any.start().limit })]) {
      expect(feed(any, sample, 500).limit).toBeLessThanOrEqual(any.start().limit)
    }
  })
})

test.each([stepLimit(), aimdLimit(), gradientLimit()] as readonly Limit[])(
  '$name refuses a sample that is no measure',
  (limit) => {
    const next = (sample: LimitSample) => () => limit.next(limit.start(), sample)
    expect(next(busy(Number.NaN))).toThrow(expect.objectContaining({ field: 'rttMs' }))
    expect(next(busy(1, { inFlight: -1 }))).toThrow(expect.objectContaining({ field: 'inFlight' }))
  },
)

test('the usual start is moved into bounds that leave it out; one that is given is not', () => {
  expect(stepLimit({ max: 40 }).start().limit).toBe(40)
  expect(gradientLimit({ min: 50 }).start().limit).toBe(50)
  expect(aimdLimit({ min: 1, max: 10 }).start().limit).toBe(10)
  expect(() => aimdLimit({ min: 50, start: 20 })).toThrow(expect.objectContaining({ field: 'start' }))
})

test('bounds may be one and the same', () => {
  expect(stepLimit({ min: 50, max: 50, start: 50 }).start().limit).toBe(50)
})

test('a fixed limit learns nothing', () => {
  expect(feed(fixedLimit(7), busy(1e6, { dropped: true }), 10).limit).toBe(7)
})

test('the step limit decides once a window: + 5 under 100 ms, - 10 over 1,000 ms, nothing between', () => {
  const limit = stepLimit()
  expect(limit.start().limit).toBe(100)
  expect(feed(limit, busy(99), 99).limit).toBe(100)
  expect(feed(limit, busy(99), 100).limit).toBe(105)
  expect(feed(limit, busy(99), 200).limit).toBe(110)
  expect(feed(limit, busy(100), 100).limit).toBe(100)
  expect(feed(limit, busy(1_000), 100).limit).toBe(100)
  expect(feed(limit, busy(1_001), 100).limit).toBe(90)
  expect(feed(limit, busy(1), 10_000).limit).toBe(200)
  expect(feed(limit, busy(5_000), 10_000).limit).toBe(10)
})

test('the step limit goes by the mean, and a drop counts as slow', () => {
  const limit = stepLimit({ window: 2 })
  expect(feed(limit, busy(10), 1, feed(limit, busy(180), 1)).limit).toBe(105)
  expect(feed(limit, busy(10), 1, feed(limit, busy(191), 1)).limit).toBe(100)
  expect(feed(limit, busy(1_001), 1, feed(limit, busy(0, { dropped: true }), 1)).limit).toBe(90)
  expect(feed(limit, busy(5_000, { dropped: true }), 2).limit).toBe(90)
  expect(feed(limit, busy(1, { dropped: true }), 2).limit).toBe(90)
  expect(feed(limit, busy(1), 1, feed(limit, busy(1, { dropped: true }), 1)).limit).toBe(90)
})

test('the step limit rises where half of the window could argue for more', () => {
  const limit = stepLimit({ window: 2 })
  const idle = busy(10, { inFlight: 0 })
  expect(feed(limit, busy(10), 1, feed(limit, idle, 1)).limit).toBe(105)
  expect(feed(limit, idle, 2).limit).toBe(100)
  const three = stepLimit({ window: 3 })
  expect(feed(three, busy(10), 1, feed(three, idle, 2)).limit).toBe(100)
  expect(feed(three, busy(10), 2, feed(three, idle, 1)).limit).toBe(105)
})

test('AIMD adds one where it is used, and cuts by a tenth on a drop or a time over the timeout', () => {
  const limit = aimdLimit({ timeoutMs: 50 })
  expect(limit.start().limit).toBe(20)
  expect(limit.next({ limit: 100 }, busy(50)).limit).toBe(101)
  expect(limit.next({ limit: 100 }, busy(50, { inFlight: 50 })).limit).toBe(101)
  expect(limit.next({ limit: 100 }, busy(50, { inFlight: 49 })).limit).toBe(100)
  expect(limit.next({ limit: 100 }, busy(51)).limit).toBe(90)
  expect(limit.next({ limit: 100 }, busy(1, { dropped: true, inFlight: 0 })).limit).toBe(90)
  expect(aimdLimit().next({ limit: 100 }, busy(5_000)).limit).toBe(101)
  expect(aimdLimit().next({ limit: 100 }, busy(5_001)).limit).toBe(90)
})

/** One sample a measure; the state of the measures themselves. */
function gradientByMeasure(options: GradientOptions = {}) {
  const limit = gradientLimit({ window: 1, ...options })
  const from = (state: GradientState) => ({ ...limit.start(state.limit), inner: state })
  return { next: (state: GradientState, sample: LimitSample): GradientState => limit.next(from(state), sample).inner }
}

test('Gradient2 follows its formula measure by measure', () => {
  const limit = gradientByMeasure()
  const warm = { limit: 100, longMs: 50, samples: 10 }
  const after = (rttMs: number) => limit.next(warm, busy(rttMs))
  // Not slower than tolerated: the gradient is 1, so a fifth of the queue's 4 is added.
  expect(after(50)).toEqual({ limit: 100.8, longMs: 50, samples: 10 })
  const longMs = 50 + (2 / 601) * 50
  expect(after(100).longMs).toBeCloseTo(longMs, 10)
  expect(after(100).limit).toBeCloseTo(80 + 0.2 * (((1.5 * longMs) / 100) * 100 + 4), 10)
  // Not by more than half at once.
  expect(after(1e6).limit).toBeCloseTo(80 + 0.2 * (50 + 4), 10)
})

test('Gradient2 averages its first measures plainly, then slowly', () => {
  const limit = gradientByMeasure()
  let state: GradientState = { limit: 20, longMs: 0, samples: 0 }
  for (const rttMs of [10, 20, 30]) state = limit.next(state, busy(rttMs))
  expect(state).toMatchObject({ longMs: 20, samples: 3 })
  for (let i = 0; i < 20; i++) state = limit.next(state, busy(20))
  expect(state.samples).toBe(10)
  expect(limit.next(state, busy(30)).longMs).toBeCloseTo(20 + (2 / 601) * 10, 6)
})

test('Gradient2 forgets a slow spell: an average of more than twice the measure decays by 5 %', () => {
  const limit = gradientByMeasure({ longWindow: 1_000_000 })
  const slow = { limit: 100, longMs: 100, samples: 10 }
  expect(limit.next(slow, busy(40)).longMs).toBeCloseTo(95, 2)
  expect(limit.next(slow, busy(51)).longMs).toBeCloseTo(100, 2)
  // The mean of 30 and 10 is exactly twice the measure, which is not more.
  expect(limit.next({ limit: 100, longMs: 30, samples: 1 }, busy(10)).longMs).toBe(20)
})

test('Gradient2 cuts on a drop without taking its time for a measure, and falls even with few in flight', () => {
  const limit = gradientByMeasure()
  const warm = { limit: 100, longMs: 50, samples: 10 }
  expect(limit.next(warm, busy(0, { dropped: true }))).toEqual({ limit: 90, longMs: 50, samples: 10 })
  expect(limit.next(warm, busy(200, { inFlight: 1 })).limit).toBeLessThan(100)
  expect(limit.next(warm, busy(50, { inFlight: 1 })).limit).toBe(100)
})

test('Gradient2 takes a hundred samples for one measure', () => {
  const limit = gradientLimit()
  const before = feed(limit, busy(10), 99)
  expect(before.limit).toBe(20)
  const state = limit.next(before, busy(110))
  expect(state.inner).toEqual({ limit: 20.8, longMs: 11, samples: 1 })
})

test('a windowed limit sees the mean of what was not dropped, the most in flight, any drop, and mostly saturated', () => {
  const seen: LimitSample[] = []
  const spy: Limit = {
    name: 'spy',
    start: (from = 7) => ({ limit: from }),
    next(state, sample) {
      seen.push(sample)
      return { limit: state.limit + 1 }
    },
  }
  const limit = windowedLimit(spy, { window: 3 })
  let state = limit.start()
  for (const sample of [
    busy(10, { inFlight: 5 }),
    busy(90, { inFlight: 2, dropped: true, saturated: true }),
    busy(20, { inFlight: 3 }),
  ]) {
    expect(state.limit).toBe(7)
    state = limit.next(state, sample)
  }
  expect(seen).toEqual([{ rttMs: 15, inFlight: 5, dropped: true, saturated: false }])
  state = feed(limit, busy(0, { dropped: true, saturated: true }), 3, { ...state, limit: 4 })
  expect(seen[1]).toEqual({ rttMs: 0, inFlight: 1_000, dropped: true, saturated: true })
  expect([limit.name, state.limit]).toEqual(['spy', 5])
})

test('a window is saturated where more than half of its samples are', () => {
  const half = [busy(10), busy(10, { saturated: true })]
  const limit = windowedLimit(aimdLimit(), { window: 2 })
  const after = (samples: readonly LimitSample[]) =>
    samples.reduce((state, each) => limit.next(state, each), limit.start())
  expect(after(half).limit).toBe(21)
  expect(after([half[1]!, half[1]!]).limit).toBe(20)
})

test.each([
  [() => fixedLimit(0), 'limit'],
  [() => fixedLimit(Number.NaN), 'limit'],
  [() => stepLimit({ min: 0 }), 'min'],
  [() => stepLimit({ min: 50, max: 40 }), 'max'],
  [() => stepLimit({ start: 201 }), 'start'],
  [() => stepLimit({ window: 0 }), 'window'],
  [() => stepLimit({ fastMs: 1_000 }), 'fastMs'],
  [() => stepLimit({ slowMs: Number.NaN }), 'slowMs'],
  [() => stepLimit({ fastMs: -1 }), 'fastMs'],
  [() => stepLimit({ stepDown: -1 }), 'stepDown'],
  [() => stepLimit({ stepUp: Number.NaN }), 'stepUp'],
  [() => aimdLimit({ backoffRatio: 1 }), 'backoffRatio'],
  [() => aimdLimit({ timeoutMs: -1 }), 'timeoutMs'],
  [() => gradientLimit({ window: 0 }), 'window'],
  [() => gradientLimit({ tolerance: 0.9 }), 'tolerance'],
  [() => gradientLimit({ longWindow: 0 }), 'longWindow'],
  [() => gradientLimit({ smoothing: 0 }), 'smoothing'],
  [() => gradientLimit({ smoothing: 1.1 }), 'smoothing'],
  [() => gradientLimit({ queueSize: -1 }), 'queueSize'],
  [() => gradientLimit({ backoffRatio: 0.4 }), 'backoffRatio'],
  [() => gradientLimit({ backoffRatio: 1 }), 'backoffRatio'],
])('%s is refused, naming %s', (make, field) => {
  expect(make).toThrow(expect.objectContaining({ code: 'config_invalid', field }))
})
