import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { ConfigError, ManualClock, systemClock } from './index.ts'

test('a timer of the system clock never runs early', async () => {
  const startedMs = systemClock.monotonicMs()
  await systemClock.sleep(3.7)
  expect(systemClock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(3.7)
})

test('a cancelled timer never runs, and cancelling twice is harmless', async () => {
  let runs = 0
  const timer = systemClock.setTimeout(() => runs++, 1)
  timer.cancel()
  timer.cancel()
  await systemClock.sleep(3)
  expect(runs).toBe(0)
})

test('a timer that Node fires a part of a millisecond early waits for the rest, and then runs directly', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] })
  const now = vi.spyOn(performance, 'now').mockReturnValue(5_000)
  try {
    const ran = vi.fn()
    systemClock.setTimeout(ran, 2)
    now.mockReturnValue(5_001.6)
    vi.advanceTimersByTime(2)
    expect([ran.mock.calls.length, vi.getTimerCount()]).toEqual([0, 1])
    now.mockReturnValue(5_002)
    vi.advanceTimersByTime(1)
    expect([ran.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0])
  } finally {
    now.mockRestore()
    vi.useRealTimers()
  }
})

test('a timer found more than a second late lets the sockets be read first', async () => {
  const order: string[] = []
  const done = new Promise<void>((resolve) => {
    systemClock.setTimeout(() => {
      order.push('timer')
      resolve()
    }, 1)
  })
  const cancelled = systemClock.setTimeout(() => order.push('cancelled'), 1)
  setTimeout(() => cancelled.cancel(), 2)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_050)
  setImmediate(() => order.push('turn'))
  await done
  await systemClock.sleep(1)
  expect(order).toEqual(['turn', 'timer'])
})

test('a delay beyond what a Node timer keeps does not end at once', async () => {
  let runs = 0
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const timer = systemClock.setTimeout(() => runs++, 2 ** 40)
  await systemClock.sleep(5)
  timer.cancel()
  expect(runs).toBe(0)
  // Node would warn, and look again each millisecond.
  expect(warn).not.toHaveBeenCalled()
  warn.mockRestore()
})

test.each([
  [1_000, 1],
  [1_000.5, 0],
])('a timer found %d ms late runs directly %d times', (lateMs, times) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] })
  const now = vi.spyOn(performance, 'now').mockReturnValue(5_000)
  try {
    const ran = vi.fn()
    systemClock.setTimeout(ran, 2)
    now.mockReturnValue(5_002 + lateMs)
    vi.advanceTimersToNextTimer()
    expect(ran).toHaveBeenCalledTimes(times)
    vi.advanceTimersToNextTimer()
    expect(ran).toHaveBeenCalledOnce()
  } finally {
    now.mockRestore()
    vi.useRealTimers()
  }
})

test('a delay that makes no sense is refused by name', () => {
  expect(() => systemClock.setTimeout(() => {}, Number.NaN)).toThrow(ConfigError)
  expect(() => new ManualClock().setTimeout(() => {}, -1)).toThrow('delayMs is -1')
})

test('timers run in due order, equal ones in the order they were set, each at its own time', () => {
  const clock = new ManualClock()
  const ran: [string, number][] = []
  for (const [name, delayMs] of [
    ['c', 30],
    ['a1', 10],
    ['b', 20],
    ['a2', 10],
  ] as const) {
    clock.setTimeout(() => ran.push([name, clock.monotonicMs()]), delayMs)
  }
  clock.advance(25)
  expect(ran).toEqual([
    ['a1', 10],
    ['a2', 10],
    ['b', 20],
  ])
  expect(clock.monotonicMs()).toBe(25)
  expect(clock.pending).toBe(1)
  expect(clock.nextDueMs).toBe(30)
})

test('a timer that sets another one within the time that passes runs both', () => {
  const clock = new ManualClock()
  const ranAt: number[] = []
  clock.setTimeout(() => {
    ranAt.push(clock.monotonicMs())
    clock.setTimeout(() => ranAt.push(clock.monotonicMs()), 5)
  }, 10)
  clock.advance(15)
  expect(ranAt).toEqual([10, 15])
})

test('an async advance lets a chain of sleeps run to its end', async () => {
  const clock = new ManualClock({ startMs: 1_000 })
  const wokeAt: number[] = []
  const work = (async () => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(10)
      wokeAt.push(clock.now())
    }
  })()
  await clock.advanceAsync(30)
  await work
  expect(wokeAt).toEqual([1_010, 1_020, 1_030])
})

test('a correction of the wall clock moves no interval', () => {
  const clock = new ManualClock({ startMs: 5 })
  clock.shiftWall(-3_600_000)
  expect(clock.now()).toBe(5 - 3_600_000)
  expect(clock.monotonicMs()).toBe(0)
})

test('an aborted sleep rejects with the reason and leaves neither timer nor listener', async () => {
  const clock = new ManualClock()
  const controller = new AbortController()
  const sleeping = clock.sleep(10, controller.signal)
  controller.abort(new Error('enough'))
  await expect(sleeping).rejects.toThrow('enough')
  await expect(clock.sleep(10, controller.signal)).rejects.toThrow('enough')
  expect(clock.pending).toBe(0)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
})

test('a sleep that ends takes its listener off the signal', async () => {
  const clock = new ManualClock()
  const { signal } = new AbortController()
  const sleeping = clock.sleep(10, signal)
  await clock.advanceAsync(10)
  await sleeping
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('a timer of infinite delay never runs and is not pending', () => {
  const clock = new ManualClock()
  clock.setTimeout(() => expect.unreachable(), Infinity).cancel()
  clock.advance(1e9)
  expect(clock.pending).toBe(0)
})
