import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { aimdLimit, Limiter, ManualClock, stepLimit } from '../index.ts'
import type { Limit, LimitChange, LimiterOptions, LimitSample, Priority, Token } from '../index.ts'

function makeLimiter(options: Partial<LimiterOptions> = {}) {
  const clock = new ManualClock()
  return { clock, limiter: new Limiter({ limit: 2, clock, ...options }) }
}

/** A limit that notes its samples and can be told what to answer. */
function spyLimit(start: number) {
  const samples: LimitSample[] = []
  const limit: Limit = {
    name: 'spy',
    start: (from = start) => ({ limit: from }),
    next(state, sample) {
      samples.push(sample)
      return state
    },
  }
  return { limit, samples }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('lets as many in as the limit says, and the next as one ends', async () => {
  const { limiter } = makeLimiter()
  const first = limiter.tryAcquire()!
  expect(limiter.tryAcquire()).toBeDefined()
  expect(limiter.tryAcquire()).toBeUndefined()
  const third = limiter.acquire()
  expect(limiter.waiting).toBe(1)
  first.success()
  expect((await third).priority).toBe('medium')
  expect([limiter.inFlight, limiter.waiting]).toEqual([2, 0])
})

test('a token counts its first outcome only', () => {
  const { limit, samples } = spyLimit(2)
  const { limiter, clock } = makeLimiter({ limit })
  const token = limiter.tryAcquire()!
  limiter.tryAcquire()
  clock.advance(30)
  token.success()
  token.dropped()
  token.ignore()
  expect(samples).toEqual([{ rttMs: 30, inFlight: 2, dropped: false, saturated: false }])
  expect(limiter.inFlight).toBe(1)
})

test('an ignored token is no sample, a dropped one is', () => {
  const { limit, samples } = spyLimit(2)
  const { limiter } = makeLimiter({ limit, isSaturated: () => true })
  limiter.tryAcquire()!.ignore()
  limiter.tryAcquire()!.dropped()
  expect(samples).toEqual([{ rttMs: 0, inFlight: 1, dropped: true, saturated: true }])
})

test('the time of a waiter starts when it goes in', async () => {
  const { limit, samples } = spyLimit(1)
  const { limiter, clock } = makeLimiter({ limit })
  const first = limiter.tryAcquire()!
  const second = limiter.acquire()
  await clock.advanceAsync(100)
  first.ignore()
  const token = await second
  clock.advance(7)
  token.success()
  expect(samples).toMatchObject([{ rttMs: 7 }])
})

test('once the limit is used up, who has less than its share goes first, else the most important', async () => {
  const { limiter } = makeLimiter({ limit: 10, shares: { high: 0.5, medium: 0.3, low: 0.2 } })
  const order: Priority[] = []
  const tokens: Token[] = []
  for (let i = 0; i < 10; i++) tokens.push(limiter.tryAcquire('low')!)
  for (const priority of ['low', 'medium', 'high'] as const) {
    for (let i = 0; i < 10; i++) void limiter.acquire({ priority }).then(() => order.push(priority))
  }
  for (const token of tokens) token.success()
  await settled()
  expect(order).toEqual([...Array(5).fill('high'), ...Array(3).fill('medium'), ...Array(2).fill('low')])
  expect(limiter.inspect()).toMatchObject({ inFlightBy: { high: 5, medium: 3, low: 2 }, waiting: { high: 5, low: 8 } })
})

test('what one priority leaves unused the others use', () => {
  const { limiter } = makeLimiter({ limit: 4, shares: { high: 1, medium: 0, low: 0 } })
  for (let i = 0; i < 4; i++) expect(limiter.tryAcquire('low')).toBeDefined()
})

test('a limit that falls lets what runs end and lets nobody in until there is room', async () => {
  const changes: LimitChange[] = []
  const { limiter } = makeLimiter({ limit: aimdLimit({ min: 1, start: 4 }), onLimit: (change) => changes.push(change) })
  const tokens = [1, 2, 3, 4].map(() => limiter.tryAcquire()!)
  limiter.restart(2)
  expect([limiter.inFlight, limiter.limit]).toEqual([4, 2])
  tokens[0]!.ignore()
  tokens[1]!.ignore()
  expect(limiter.tryAcquire()).toBeUndefined()
  tokens[2]!.ignore()
  expect(limiter.tryAcquire()).toBeDefined()
  limiter.restart()
  expect(changes).toEqual([
    { from: 4, to: 2 },
    { from: 2, to: 4 },
  ])
})

test('a limit that rises wakes who waits', async () => {
  const { limiter } = makeLimiter({ limit: aimdLimit({ min: 1, start: 1 }) })
  const token = limiter.tryAcquire()!
  const [second, third] = [limiter.acquire(), limiter.acquire()]
  token.success()
  await Promise.all([second, third])
  expect(limiter.limit).toBe(2)
})

test('the cap is in force at once, and a cut starts from it', () => {
  let cap = 50
  const { limiter } = makeLimiter({ limit: aimdLimit({ min: 1, max: 200, start: 100 }), cap: () => cap })
  expect(limiter.limit).toBe(50)
  limiter.tryAcquire()!.success()
  expect(limiter.inspect().learntLimit).toBe(100)
  limiter.tryAcquire()!.dropped()
  expect(limiter.inspect()).toMatchObject({ learntLimit: 45, limit: 45 })
  cap = 0
  expect(limiter.limit).toBe(1)
})

test.each([5, 20])('a cap of %d, at or under the least limit, does not lead under it', (cap) => {
  const { limiter } = makeLimiter({ limit: aimdLimit({ min: 20, start: 100 }), cap: () => cap })
  limiter.tryAcquire()!.dropped()
  expect(limiter.inspect()).toMatchObject({ learntLimit: 90, limit: cap })
})

test('a cap of one, under which nothing can be cut, leaves the learnt limit its own cut', () => {
  const { limiter } = makeLimiter({ limit: aimdLimit({ min: 1, start: 100 }), cap: () => 1 })
  limiter.tryAcquire()!.dropped()
  expect(limiter.inspect()).toMatchObject({ learntLimit: 90, limit: 1 })
})

test('a cap that rose lets waiters in after refresh', async () => {
  let cap = 1
  const { limiter } = makeLimiter({ limit: 10, cap: () => cap })
  limiter.tryAcquire()
  const waiting = limiter.acquire()
  cap = 2
  expect(limiter.tryAcquire()).toBeUndefined()
  limiter.refresh()
  await waiting
  cap = 3
  expect(limiter.inspect().closed).toBe(false)
  limiter.close()
  expect(limiter.inspect().closed).toBe(true)
  expect(limiter.tryAcquire()).toBeUndefined()
})

test('run frees its slot however the work ends, and a drop is one only if it is said to be', async () => {
  const { limit, samples } = spyLimit(1)
  const { limiter } = makeLimiter({ limit })
  await expect(limiter.run(async () => 'done')).resolves.toBe('done')
  const failing = () => {
    throw new Error('sync')
  }
  await expect(limiter.run(failing)).rejects.toThrow('sync')
  await expect(limiter.run(failing, { isDrop: (error) => (error as Error).message === 'sync' })).rejects.toThrow('sync')
  expect(samples.map(({ dropped }) => dropped)).toEqual([false, true])
  expect(limiter.inFlight).toBe(0)
})

test('waits end by abort, by timeout, by close; nothing of them is left', async () => {
  const { limiter, clock } = makeLimiter({ limit: 1, maxWaiting: 2 })
  limiter.tryAcquire()
  const controller = new AbortController()
  const aborted = limiter.acquire({ signal: controller.signal, timeoutMs: 50 })
  controller.abort(new Error('enough'))
  await expect(aborted).rejects.toThrow('enough')
  await expect(limiter.acquire({ signal: controller.signal })).rejects.toThrow('enough')
  const late = limiter.acquire({ timeoutMs: 50 })
  clock.advance(50)
  await expect(late).rejects.toMatchObject({ reason: 'timeout_drop' })
  await expect(limiter.acquire({ timeoutMs: 0 })).rejects.toMatchObject({ reason: 'timeout_drop' })
  const closed = [limiter.acquire(), limiter.acquire()]
  await expect(limiter.acquire()).rejects.toMatchObject({ reason: 'waiting_full' })
  limiter.close()
  limiter.close()
  for (const each of closed) await expect(each).rejects.toMatchObject({ code: 'closed' })
  await expect(limiter.acquire()).rejects.toMatchObject({ code: 'closed' })
  expect(limiter.tryAcquire()).toBeUndefined()
  expect(clock.pending).toBe(0)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
})

test('a limit that throws does not keep the slot', () => {
  const broken: Limit = {
    name: 'broken',
    start: () => ({ limit: 1 }),
    next() {
      throw new Error('broken')
    },
  }
  const { limiter } = makeLimiter({ limit: broken })
  const token = limiter.tryAcquire()!
  expect(() => token.success()).toThrow('broken')
  expect(limiter.inFlight).toBe(0)
})

test.each([
  [{ limit: 0 }, 'limit'],
  [{ limit: Number.NaN }, 'limit'],
  [{ limit: null as never }, 'limit'],
  [{ shares: { high: 0.9, medium: 0.2, low: 0 } }, 'shares'],
  [{ shares: { high: -0.1, medium: 0, low: 0 } }, 'shares.high'],
  [{ maxWaiting: -1 }, 'maxWaiting'],
] as const)('%o is refused, naming %s', (options, field) => {
  expect(() => makeLimiter(options)).toThrow(expect.objectContaining({ field }))
})

test('arguments that make no sense are refused by name', async () => {
  const { limiter } = makeLimiter({ limit: stepLimit() })
  expect(() => limiter.tryAcquire('urgent' as Priority)).toThrow(expect.objectContaining({ field: 'priority' }))
  await expect(limiter.acquire({ timeoutMs: -1 })).rejects.toMatchObject({ field: 'timeoutMs' })
  expect(() => limiter.restart(0)).toThrow(expect.objectContaining({ field: 'limit' }))
  const { limiter: capped } = makeLimiter({ cap: () => Number.NaN })
  expect(() => capped.tryAcquire()).toThrow(expect.objectContaining({ field: 'cap' }))
})

test('run does nothing for a signal that was aborted before', async () => {
  const { limiter } = makeLimiter()
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(limiter.run(() => expect.unreachable(), { signal })).rejects.toThrow('enough')
  expect(limiter.inFlight).toBe(0)
})

test('a question whether it was a drop that throws is told as a warning, is no drop, and frees the slot', async () => {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const { limit, samples } = spyLimit(1)
  const { limiter } = makeLimiter({ limit })
  const isDrop = () => {
    throw new Error('cannot say')
  }
  await expect(limiter.run(() => Promise.reject(new Error('work')), { isDrop })).rejects.toThrow('work')
  expect([samples, limiter.inFlight]).toEqual([[], 0])
  expect(warnings).toHaveBeenCalledOnce()
  warnings.mockRestore()
})

test('a listener of the limit may take a slot and close', () => {
  const { limiter } = makeLimiter({
    limit: aimdLimit({ min: 1, start: 2 }),
    onLimit: ({ to }) => {
      if (to === 3) limiter.tryAcquire('high')
      else limiter.close()
    },
  })
  const [a, b] = [limiter.tryAcquire()!, limiter.tryAcquire()!]
  a.success()
  expect(limiter.inspect()).toMatchObject({ limit: 3, inFlight: 2, inFlightBy: { high: 1, medium: 1 } })
  b.dropped()
  expect(limiter.inspect()).toMatchObject({ limit: 2, inFlight: 1, closed: true })
})

test.each([
  ['run', (limiter: Limiter) => limiter.run(7 as never)],
  ['run, waiting', (limiter: Limiter) => (limiter.tryAcquire(), limiter.run(undefined as never))],
])('%s refuses work that is no function and takes no slot for it', async (_, call) => {
  const { limiter } = makeLimiter({ limit: 1 })
  await expect(call(limiter)).rejects.toMatchObject({ code: 'config_invalid', field: 'work' })
  expect(limiter.waiting).toBe(0)
})
