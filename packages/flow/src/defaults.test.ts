import { expect, test } from 'vitest'
import {
  Breaker,
  FlowController,
  gradientLimit,
  Flow,
  Gate,
  Lanes,
  Limiter,
  ManualClock,
  PressureSensor,
  PriorityQueue,
  RateLimiter,
  standardConditions,
  stepLimit,
  windowedLimit,
} from './index.ts'
import type { LimitSample } from './index.ts'

const clock = new ManualClock()

const lines = {
  'Gate.acquire': () => {
    const gate = new Gate({ maxRecords: 1, clock })
    gate.tryAcquire(0)
    return { part: gate, wait: () => gate.acquire(0) }
  },
  'Gate.ready': () => {
    const gate = new Gate({ maxRecords: 1, clock })
    gate.tryAcquire(0)
    return { part: gate, wait: () => gate.ready() }
  },
  PriorityQueue: () => {
    const queue = new PriorityQueue<number>({ maxRecords: 1, onShed: () => {}, clock })
    queue.tryPush(0, { priority: 'high' })
    return { part: queue, wait: () => queue.push(0) }
  },
  Limiter: () => {
    const limiter = new Limiter({ limit: 1, clock })
    limiter.tryAcquire()
    return { part: limiter, wait: () => limiter.acquire() }
  },
  RateLimiter: () => {
    const limiter = new RateLimiter({ elements: 1, clock })
    limiter.tryAcquire()
    return { part: limiter, wait: () => limiter.acquire() }
  },
  Breaker: () => {
    const breaker = new Breaker({ clock })
    breaker.trip('by hand')
    return { part: breaker, wait: () => breaker.ready() }
  },
}

test.each(Object.entries(lines))('%s lets 1,000 wait and refuses one more', async (_, make) => {
  const { part, wait } = make()
  const waiting = Array.from({ length: 1_000 }, () => wait().catch((error: { code: string }) => error.code))
  await clock.advanceAsync(0)
  await expect(wait()).rejects.toMatchObject({ retriable: true })
  part.close()
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['closed']))
})

test('a high item waits two minutes for room, a medium one a second', async () => {
  const queue = new PriorityQueue<number>({ maxRecords: 1, onShed: () => {}, clock })
  queue.tryPush(0, { priority: 'high' })
  for (const [priority, ms] of [
    ['high', 120_000],
    ['medium', 1_000],
  ] as const) {
    const waiting = queue.push(0, { priority }).catch((error: { reason: string }) => error.reason)
    await clock.advanceAsync(ms - 1)
    expect(queue.waiting).toBe(1)
    await clock.advanceAsync(1)
    expect(await waiting).toBe('timeout_drop')
  }
})

test('lanes age after 30 s and are stuck after 30 s', () => {
  const lanes = new Lanes<string>({ clock, onStuck: () => {} })
  lanes.push('low', { priority: 'low' })
  clock.advance(29_999)
  lanes.push('high', { priority: 'high' })
  lanes.push('high', { priority: 'high' })
  const first = lanes.take()!
  expect(first.item).toBe('high')
  clock.advance(1)
  expect(lanes.take()!.item).toBe('low')
  clock.advance(29_998)
  expect(lanes.stuck()).toEqual([])
  clock.advance(1)
  expect(lanes.stuck()).toMatchObject([{ item: 'high', runningMs: 30_000 }])
  lanes.close()
})

test('a controller holds 1,000, calls 1.5 times the capacity too much and a trial of more than a second slow', async () => {
  const controller = new FlowController({ clock, limit: stepLimit({ max: 10_000, start: 10_000 }) })
  for (let i = 0; i < 1_000; i++) void controller.run(() => new Promise(() => {})).catch(() => {})
  await expect(controller.run(() => 1, { priority: 'low' })).rejects.toMatchObject({ reason: 'low_priority_drop' })
  controller.close()
})

test('a throttled flow, a buffer, a range: what is left out has its usual value', async () => {
  const flow = Flow.range(0, 600, { clock })
  expect(await flow.limitRate().toArray()).toHaveLength(600)
  let most = 0
  let open = 0
  const inner = async function* (n: number) {
    most = Math.max(most, ++open)
    await clock.sleep(1)
    yield n
    open--
  }
  const run = flow.flatMap(inner).toArray()
  await clock.advanceAsync(10)
  await run
  expect(most).toBe(256)
  most = 0
  const sequential = flow.flatMapSequential(inner).toArray()
  await clock.advanceAsync(10)
  await sequential
  expect(most).toBe(256)
})

test('flatMapSequential reads 32 of each inner source ahead', async () => {
  let given = 0
  const inner = function* () {
    for (;;) yield given++
  }
  const iterator = Flow.from([1, 2]).flatMapSequential(inner)[Symbol.asyncIterator]()
  await iterator.next()
  await clock.advanceAsync(0)
  // Of the first source 32 ahead of the one that was taken and the one on its way; of the second 32.
  expect(given).toBeGreaterThanOrEqual(2 * 32)
  expect(given).toBeLessThanOrEqual(2 * 33 + 1)
  await iterator.return!()
})

test('limitRate reads 256 ahead', async () => {
  let given = 0
  const numbers = function* () {
    for (;;) yield given++
  }
  const iterator = Flow.from(numbers()).limitRate()[Symbol.asyncIterator]()
  await iterator.next()
  await clock.advanceAsync(0)
  expect(given).toBe(257)
  await iterator.return!()
})

test('retry starts anew three times, at once', async () => {
  let opened = 0
  const failing = {
    [Symbol.asyncIterator]: () => {
      opened++
      return { next: () => Promise.reject(new Error('down')) }
    },
  }
  const run = Flow.from(failing, { clock }).retry().toArray().catch(String)
  await clock.advanceAsync(0)
  expect(await run).toBe('Error: down')
  expect(opened).toBe(4)
})

test('a window is a hundred samples', () => {
  const sample: LimitSample = { rttMs: 10, inFlight: 500, dropped: false }
  for (const limit of [windowedLimit(stepLimit({ window: 1 })), stepLimit(), gradientLimit()]) {
    let state = limit.start(100) as never
    for (let i = 0; i < 99; i++) state = limit.next(state, sample) as never
    expect((state as { limit: number }).limit).toBe(100)
    expect(limit.next(state, sample).limit).toBeGreaterThan(100)
  }
})

test('gradientLimit and the other limits have their documented first and last values', () => {
  const busy = (rttMs: number): LimitSample => ({ rttMs, inFlight: 1_000, dropped: false })
  const limit = gradientLimit({ window: 1 })
  let state = limit.start()
  for (let i = 0; i < 2_000; i++) state = limit.next(state, busy(10))
  expect(state.limit).toBe(200)
  for (let i = 0; i < 200; i++) state = limit.next(state, { ...busy(10), dropped: true })
  expect(state.limit).toBe(20)
})

test('pressure counts at the documented levels', () => {
  const levels = {
    slots: { on: 1, off: 3 },
    handlingTime: { on: 5_001, off: 4_000 },
    memory: { on: 0.801, off: 0.75 },
    cpu: { on: 0.901, off: 0.8 },
    eventLoop: { on: 0.901, off: 0.8 },
  }
  const atOnce = { slots: 2, handlingTime: 5_000, memory: 0.8, cpu: 0.9, eventLoop: 0.9 }
  const stillOn = { slots: 2, handlingTime: 4_001, memory: 0.751, cpu: 0.801, eventLoop: 0.801 }
  for (const name of Object.keys(levels) as (keyof typeof levels)[]) {
    let value = atOnce[name]
    const sensor = new PressureSensor({ conditions: standardConditions({ [name]: () => value }), clock, holdMs: 0 })
    const isActive = (next: number): boolean => {
      value = next
      sensor.look()
      return sensor.active.length === 1
    }
    const { on, off } = levels[name]
    const seen = [isActive(atOnce[name]), isActive(on), isActive(stillOn[name]), isActive(off)]
    expect([name, ...seen]).toEqual([name, false, true, true, false])
  }
})

test('a rate is a second long by default', async () => {
  const limiter = new RateLimiter({ elements: 2, clock })
  await limiter.acquire({ cost: 2 })
  clock.advance(499)
  expect(limiter.tryAcquire()).toBe(false)
  clock.advance(1)
  expect(limiter.tryAcquire()).toBe(true)
})
