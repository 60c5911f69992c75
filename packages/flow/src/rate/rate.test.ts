import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AdaptiveBatchSize, ManualClock, RateLimiter, RateLimitError } from '../index.ts'
import type { RateLimiterOptions } from '../index.ts'
import { numRuns } from '../testing/runs.ts'

function makeLimiter(options: Partial<RateLimiterOptions> = {}) {
  const clock = new ManualClock()
  return { clock, limiter: new RateLimiter({ elements: 10, perMs: 100, burst: 3, clock, ...options }) }
}

test('lets a burst through at once, then one at a time at the rate', async () => {
  const { limiter, clock } = makeLimiter()
  const passedAt: number[] = []
  for (let i = 0; i < 6; i++) void limiter.acquire().then(() => passedAt.push(clock.monotonicMs()))
  await clock.advanceAsync(100)
  expect(passedAt).toEqual([0, 0, 0, 10, 20, 30])
  expect(limiter.inspect()).toMatchObject({ tokens: 3, waiting: 0, ratePerSecond: 100 })
  expect(clock.pending).toBe(0)
})

test('a pause saves up no more than the burst', () => {
  const { limiter, clock } = makeLimiter()
  clock.advance(10_000)
  expect([1, 2, 3, 4].map(() => limiter.tryAcquire())).toEqual([true, true, true, false])
})

test('enforcing refuses at once and says when to try again', async () => {
  const { limiter, clock } = makeLimiter({ mode: 'enforcing' })
  await limiter.acquire({ cost: 3 })
  clock.advance(4)
  const refused = limiter.acquire()
  await expect(refused).rejects.toBeInstanceOf(RateLimitError)
  await expect(refused).rejects.toMatchObject({ code: 'rate_limited', retriable: true })
  await expect(refused.catch((error: RateLimitError) => error.retryAfterMs)).resolves.toBeCloseTo(6, 6)
  clock.advance(6)
  await limiter.acquire()
})

test('the burst is by default what passes in one period', () => {
  const limiter = new RateLimiter({ elements: 5, clock: new ManualClock() })
  expect(limiter.inspect()).toMatchObject({ burst: 5, tokens: 5, ratePerSecond: 5 })
})

test('a dear one waits for its cost, and nobody overtakes it', async () => {
  const { limiter, clock } = makeLimiter()
  const order: string[] = []
  await limiter.acquire({ cost: 2 })
  void limiter.acquire({ cost: 3 }).then(() => order.push(`dear ${clock.monotonicMs()}`))
  void limiter.acquire().then(() => order.push(`cheap ${clock.monotonicMs()}`))
  expect(limiter.tryAcquire()).toBe(false)
  await clock.advanceAsync(30)
  expect(order).toEqual(['dear 20', 'cheap 30'])
})

test('one that gives up takes nothing, and those behind it go as soon as they can', async () => {
  const { limiter, clock } = makeLimiter()
  await limiter.acquire({ cost: 2 })
  const controller = new AbortController()
  const dear = limiter.acquire({ cost: 3, signal: controller.signal })
  const cheap = limiter.acquire()
  controller.abort(new Error('enough'))
  await expect(dear).rejects.toThrow('enough')
  await cheap
  expect(clock.pending).toBe(0)
  await expect(limiter.acquire({ signal: controller.signal })).rejects.toThrow('enough')
})

test('one waiter too many is refused; close rejects the others and leaves no timer', async () => {
  const { limiter, clock } = makeLimiter({ maxWaiting: 1 })
  await limiter.acquire({ cost: 3 })
  const waiting = limiter.acquire()
  await expect(limiter.acquire()).rejects.toMatchObject({ reason: 'waiting_full' })
  limiter.close()
  limiter.close()
  await expect(waiting).rejects.toMatchObject({ code: 'closed' })
  await expect(limiter.acquire()).rejects.toMatchObject({ code: 'closed' })
  expect([limiter.tryAcquire(), clock.pending]).toEqual([false, 0])
})

test('in any time t at most burst + t x rate pass, and a waiter passes as soon as that allows', async () => {
  const options = fc.record({
    elements: fc.integer({ min: 1, max: 50 }),
    perMs: fc.integer({ min: 1, max: 200 }),
    burst: fc.integer({ min: 1, max: 20 }),
  })
  const call = fc.record({ gapMs: fc.nat(30), cost: fc.integer({ min: 1, max: 20 }) })
  await fc.assert(
    fc.asyncProperty(options, fc.array(call, { maxLength: 40 }), async (options, calls) => {
      const clock = new ManualClock()
      const limiter = new RateLimiter({ ...options, clock })
      const passed: { readonly atMs: number; readonly cost: number }[] = []
      for (const { gapMs, cost: anyCost } of calls) {
        const cost = Math.min(anyCost, options.burst)
        await clock.advanceAsync(gapMs)
        void limiter.acquire({ cost }).then(() => passed.push({ atMs: clock.monotonicMs(), cost }))
      }
      await clock.advanceAsync(calls.length * options.burst * options.perMs)
      expect(passed).toHaveLength(calls.length)
      const rate = options.elements / options.perMs
      for (const [index, first] of passed.entries()) {
        let sum = 0
        for (const { atMs, cost } of passed.slice(index)) {
          sum += cost
          expect(sum).toBeLessThanOrEqual(options.burst + (atMs - first.atMs) * rate + 1e-6)
        }
      }
      expect(clock.pending).toBe(0)
    }),
    { numRuns: numRuns(100) },
  )
})

test.each([
  [{ elements: 0 }, 'elements'],
  [{ elements: Number.NaN }, 'elements'],
  [{ perMs: 0 }, 'perMs'],
  [{ burst: 0.5 }, 'burst'],
  [{ mode: 'loose' as 'shaping' }, 'mode'],
  [{ maxWaiting: -1 }, 'maxWaiting'],
])('%o is refused, naming %s', (options, field) => {
  expect(() => makeLimiter(options)).toThrow(expect.objectContaining({ field }))
})

test.each([0, -1, 3.5, Number.NaN])('a cost of %d, which could never pass, is refused', (cost) => {
  expect(() => makeLimiter().limiter.tryAcquire(cost)).toThrow(expect.objectContaining({ field: 'cost' }))
})

test('the batch size halves, grows by ten, and stays from 10 to 500', () => {
  const batch = new AdaptiveBatchSize()
  expect([batch.size, batch.decrease(), batch.decrease(), batch.increase()]).toEqual([100, 50, 25, 35])
  for (let i = 0; i < 5; i++) batch.decrease()
  expect(batch.inspect()).toEqual({ size: 10, min: 10, max: 500 })
  for (let i = 0; i < 60; i++) batch.increase()
  expect(batch.size).toBe(500)
})

test('the usual first batch size is moved into bounds that leave it out', () => {
  expect([new AdaptiveBatchSize({ max: 50 }).size, new AdaptiveBatchSize({ min: 200 }).size]).toEqual([50, 200])
})

test('the least of everything is allowed', () => {
  const batch = new AdaptiveBatchSize({ min: 1, max: 2, start: 1, step: 1, factor: 0.99 })
  expect([batch.increase(), batch.increase(), batch.decrease(), batch.decrease()]).toEqual([2, 2, 1, 1])
  expect(new AdaptiveBatchSize({ min: 1, max: 1, start: 1, factor: 0.01 }).increase()).toBe(1)
  expect(makeLimiter({ elements: 1, perMs: 1, burst: 1, maxWaiting: 0 }).limiter.tryAcquire()).toBe(true)
})

test.each([
  [{ min: 0 }, 'min'],
  [{ min: 20, max: 10 }, 'max'],
  [{ start: 501 }, 'start'],
  [{ factor: 1 }, 'factor'],
  [{ step: 0 }, 'step'],
])('a batch size of %o is refused, naming %s', (options, field) => {
  expect(() => new AdaptiveBatchSize(options)).toThrow(expect.objectContaining({ field }))
})
