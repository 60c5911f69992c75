import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { BackpressureError, ClosedError, ConfigError, Gate, InvariantError, ManualClock } from '../index.ts'
import type { GateOptions } from '../index.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function makeGate(options: Partial<GateOptions> = {}): { gate: Gate; clock: ManualClock } {
  const clock = new ManualClock()
  return {
    gate: new Gate({ maxRecords: 10, maxBytes: 1_000, highWatermark: 8, lowWatermark: 2, clock, ...options }),
    clock,
  }
}

/** Starts an acquire and notes under its name when it is let in or refused. */
function follow(log: unknown[], name: string, promise: Promise<void>): void {
  promise.then(
    () => log.push(name),
    (error: Error) => log.push([name, error]),
  )
}

test('lets in up to the maximum of records and of bytes, each exactly', () => {
  const { gate } = makeGate()
  expect(gate.tryAcquire(600, 9)).toBe(true)
  expect(gate.tryAcquire(401, 1)).toBe(false)
  expect(gate.tryAcquire(400, 2)).toBe(false)
  expect(gate.tryAcquire(400, 1)).toBe(true)
  expect(gate.tryAcquire(0, 0)).toBe(true)
  expect([gate.records, gate.bytes, gate.usage]).toEqual([10, 1_000, 1])
})

test('is throttled from the high watermark until the low one, whichever share is larger', () => {
  const heard: [string, number][] = []
  const { gate } = makeGate({
    onThrottled: (state) => heard.push(['on', state.usage]),
    onReleased: (state) => heard.push(['off', state.usage]),
  })
  gate.tryAcquire(0, 7)
  expect(gate.throttled).toBe(false)
  gate.tryAcquire(0)
  expect(gate.throttled).toBe(true)
  gate.release(0, 5)
  expect(gate.throttled).toBe(true)
  gate.release(0)
  expect(gate.throttled).toBe(false)
  gate.tryAcquire(799)
  expect(gate.throttled).toBe(false)
  gate.tryAcquire(1, 0)
  expect(gate.throttled).toBe(true)
  gate.release(599, 1)
  expect(gate.throttled).toBe(true)
  gate.release(1, 0)
  expect(heard).toEqual([
    ['on', 0.8],
    ['off', 0.2],
    ['on', 0.8],
    ['off', 0.2],
  ])
})

test('something larger than the gate passes alone, once the gate is empty', async () => {
  const { gate } = makeGate()
  const log: unknown[] = []
  gate.tryAcquire(1)
  follow(log, 'oversize', gate.acquire(5_000))
  follow(log, 'behind', gate.acquire(1))
  await settled()
  expect(log).toEqual([])
  gate.release(1)
  await settled()
  expect(log).toEqual(['oversize'])
  expect(gate.bytes).toBe(5_000)
  gate.release(5_000)
  await settled()
  expect(log).toEqual(['oversize', 'behind'])
})

test('waiters go in the order they came and nobody overtakes them', async () => {
  const { gate } = makeGate()
  const log: unknown[] = []
  gate.tryAcquire(0, 10)
  follow(log, 'first', gate.acquire(0, { records: 5 }))
  follow(log, 'second', gate.acquire(0))
  gate.release(0, 4)
  expect(gate.tryAcquire(0)).toBe(false)
  await settled()
  expect(log).toEqual([])
  gate.release(0, 2)
  await settled()
  expect(log).toEqual(['first', 'second'])
  expect(gate.inspect()).toMatchObject({ records: 10, waiting: 0 })
})

test('a waiter that aborts leaves nothing behind and lets those behind it go', async () => {
  const { gate, clock } = makeGate()
  const log: unknown[] = []
  const controller = new AbortController()
  gate.tryAcquire(0, 8)
  follow(log, 'large', gate.acquire(0, { records: 5, signal: controller.signal, timeoutMs: 100 }))
  follow(log, 'small', gate.acquire(0))
  const reason = new Error('no longer wanted')
  controller.abort(reason)
  await settled()
  expect(log).toHaveLength(2)
  expect(log).toContain('small')
  expect(log).toContainEqual(['large', reason])
  expect(gate.waiting).toBe(0)
  expect(clock.pending).toBe(0)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  await expect(gate.acquire(0, { signal: controller.signal })).rejects.toBe(reason)
})

test('a waiter without a timeout can abort too', async () => {
  const { gate, clock } = makeGate()
  const controller = new AbortController()
  gate.tryAcquire(0, 8)
  const waiting = gate.acquire(0, { records: 5, signal: controller.signal })
  controller.abort(new Error('no longer wanted'))
  await expect(waiting).rejects.toThrow('no longer wanted')
  expect([gate.waiting, clock.pending]).toEqual([0, 0])
})

test('a waiter that was let in keeps neither its timer nor its listener', async () => {
  const { gate, clock } = makeGate()
  const { signal } = new AbortController()
  gate.tryAcquire(0, 10)
  const waiting = gate.acquire(0, { signal, timeoutMs: 100 })
  expect(clock.pending).toBe(1)
  gate.release(0)
  await waiting
  expect(clock.pending).toBe(0)
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('a wait that takes too long ends as timeout_drop, after exactly its time', async () => {
  const { gate, clock } = makeGate()
  const log: unknown[] = []
  gate.tryAcquire(0, 10)
  follow(log, 'late', gate.acquire(7, { timeoutMs: 100 }))
  await clock.advanceAsync(99)
  expect(log).toEqual([])
  await clock.advanceAsync(1)
  expect(log).toEqual([['late', expect.any(BackpressureError)]])
  expect(log).toMatchObject([['late', { reason: 'timeout_drop', retriable: true, records: 10 }]])
  await expect(gate.acquire(7, { timeoutMs: 0 })).rejects.toMatchObject({ reason: 'timeout_drop' })
  expect(gate.inspect()).toMatchObject({ records: 10, bytes: 0 })
})

test('one waiter too many is refused as waiting_full', async () => {
  const { gate } = makeGate({ maxWaiting: 1 })
  gate.tryAcquire(0, 10)
  const waiting = gate.acquire(0)
  await expect(gate.acquire(0)).rejects.toMatchObject({ reason: 'waiting_full', code: 'backpressure' })
  const ready = gate.ready()
  await expect(gate.ready()).rejects.toMatchObject({ reason: 'waiting_full' })
  gate.release(0, 10)
  await Promise.all([waiting, ready])
})

test('ready resolves at the low watermark, not before', async () => {
  const { gate } = makeGate()
  const log: unknown[] = []
  await gate.ready()
  await expect(gate.ready(AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
  gate.tryAcquire(0, 8)
  follow(log, 'ready', gate.ready())
  const controller = new AbortController()
  follow(log, 'aborted', gate.ready(controller.signal))
  controller.abort('stop')
  gate.release(0, 5)
  await settled()
  expect(log).toEqual([['aborted', 'stop']])
  gate.release(0, 1)
  await settled()
  expect(log).toEqual([['aborted', 'stop'], 'ready'])
})

test('what waiters take at once does not make the throttle flicker', async () => {
  const heard: string[] = []
  const { gate } = makeGate({ onThrottled: () => heard.push('on'), onReleased: () => heard.push('off') })
  gate.tryAcquire(0, 10)
  const waiting = gate.acquire(0, { records: 9 })
  gate.release(0, 10)
  await waiting
  expect(heard).toEqual(['on'])
})

test('charge counts past the bounds and keeps others out until it is released', () => {
  const { gate } = makeGate()
  gate.charge(3_000, 12)
  expect(gate.inspect()).toMatchObject({ records: 12, bytes: 3_000, usage: 3, throttled: true })
  expect(gate.tryAcquire(0, 0)).toBe(false)
  gate.release(3_000, 11)
  expect(gate.throttled).toBe(false)
  expect(gate.tryAcquire(1)).toBe(true)
  gate.charge(1)
  expect([gate.records, gate.bytes]).toEqual([3, 2])
  gate.release(1)
  expect([gate.records, gate.bytes]).toEqual([2, 1])
})

test('close rejects everybody who waits and everybody who comes, and releases are still counted', async () => {
  const { gate } = makeGate()
  gate.tryAcquire(5, 10)
  const waiting = gate.acquire(1)
  const ready = gate.ready()
  const error = new ClosedError('The producer')
  gate.close(error)
  gate.close()
  await expect(waiting).rejects.toBe(error)
  await expect(ready).rejects.toBe(error)
  gate.release(5, 10)
  await expect(gate.acquire(1)).rejects.toBe(error)
  await expect(gate.ready()).rejects.toBe(error)
  expect(gate.tryAcquire(1)).toBe(false)
  expect(gate.inspect()).toMatchObject({ records: 0, bytes: 0, closed: true })
})

test('releasing more than is inside is an error with the facts, and changes nothing', () => {
  const { gate } = makeGate()
  gate.tryAcquire(5, 2)
  expect(() => gate.release(6, 1)).toThrow(InvariantError)
  expect(() => gate.release(1, 3)).toThrow('More was released from the gate than is inside')
  expect(gate.inspect()).toMatchObject({ records: 2, bytes: 5 })
})

test('a listener that throws becomes a warning, and the gate works on', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const { gate } = makeGate({
    onThrottled: () => {
      throw new Error('broken')
    },
  })
  gate.tryAcquire(0, 9)
  expect(gate.throttled).toBe(true)
  expect(warn).toHaveBeenCalledOnce()
  warn.mockRestore()
})

test('watermarks default to 80 % and 20 %, and make sense for the smallest gate too', () => {
  expect(new Gate({ maxRecords: 1_000 }).inspect()).toMatchObject({ highWatermark: 800, lowWatermark: 200 })
  expect(new Gate({ maxRecords: 1 }).inspect()).toMatchObject({ highWatermark: 1, lowWatermark: 0 })
  const early = new Gate({ maxRecords: 10, highWatermark: 1 })
  expect(early.inspect()).toMatchObject({ highWatermark: 1, lowWatermark: 0 })
})

test.each([
  [{ maxRecords: 0 }, 'maxRecords'],
  [{ maxRecords: 1.5 }, 'maxRecords'],
  [{ maxRecords: Infinity }, 'maxRecords'],
  [{ maxBytes: Number.NaN }, 'maxBytes'],
  [{ maxBytes: 0 }, 'maxBytes'],
  [{ highWatermark: 11 }, 'highWatermark'],
  [{ lowWatermark: 8 }, 'lowWatermark'],
  [{ lowWatermark: -1 }, 'lowWatermark'],
  [{ maxWaiting: -1 }, 'maxWaiting'],
] as const)('%o is refused, naming %s', (options, field) => {
  expect(() => makeGate(options)).toThrow(expect.objectContaining({ code: 'config_invalid', field }))
})

test('amounts and times that make no sense are refused before anything is counted', async () => {
  const { gate } = makeGate()
  for (const bad of [Number.NaN, -1, Infinity]) {
    expect(() => gate.tryAcquire(bad)).toThrow(ConfigError)
    expect(() => gate.tryAcquire(1, bad)).toThrow(ConfigError)
    expect(() => gate.release(bad, 1)).toThrow(ConfigError)
    expect(() => gate.charge(1, bad)).toThrow(ConfigError)
  }
  await expect(gate.acquire(1, { timeoutMs: Number.NaN })).rejects.toThrow('timeoutMs is NaN')
  expect(gate.inspect()).toMatchObject({ records: 0, bytes: 0 })
})
