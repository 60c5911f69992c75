import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aimdLimit, Limiter, ManualClock } from '../index.ts'
import { priorities } from '../internal.ts'
import type { Priority, Token } from '../index.ts'
import { numRuns } from '../testing/runs.ts'

const shares = { high: 0.5, medium: 0.25, low: 0.25 }
const maxWaiting = 6

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('acquire' as const, 'try' as const),
      priority: fc.constantFrom(...priorities),
      timeoutMs: fc.constantFrom(4, 9, Infinity),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('success' as const, 'ignore' as const, 'dropped' as const, 'abort' as const),
      pick: fc.nat(10),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cap' as const), cap: fc.integer({ min: 0, max: 8 }) }) },
)

interface Wait {
  readonly id: number
  readonly priority: Priority
  readonly dueMs: number
}

test('any history agrees with the model: bound, shares, first come first served, no slot and no waiter lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      let cap = Infinity
      const clock = new ManualClock()
      const limiter = new Limiter({
        limit: aimdLimit({ min: 2, max: 8, start: 4 }),
        cap: () => cap,
        shares,
        maxWaiting,
        clock,
      })
      const tokens = new Map<number, Token>()
      const outcomes = new Map<number, string>()
      const controllers = new Map<number, AbortController>()
      let learnt = 4
      let line: Wait[] = []
      let running: { readonly id: number; readonly priority: Priority }[] = []
      const expected = new Map<number, string>()
      let ids = 0

      const limit = () => Math.max(1, Math.floor(Math.min(learnt, cap)))
      const settle = (): void => {
        while (running.length < limit() && line.length > 0) {
          const count = (priority: Priority) => running.filter((each) => each.priority === priority).length
          const waits = (priority: Priority) => line.some((wait) => wait.priority === priority)
          const isBelow = (priority: Priority) => waits(priority) && count(priority) < shares[priority] * limit()
          const chosen = priorities.find(isBelow) ?? priorities.find(waits)
          const wait = line.find(({ priority }) => priority === chosen)!
          line = line.filter((other) => other !== wait)
          running.push(wait)
          expected.set(wait.id, 'in')
        }
      }
      const learn = (dropped: boolean): void => {
        const cut = (from: number) => Math.max(2, from * 0.9)
        if (!dropped) learnt = 2 * running.length >= learnt ? Math.min(8, learnt + 1) : learnt
        else learnt = cap < learnt && cut(Math.max(1, cap)) < Math.max(1, cap) ? cut(Math.max(1, cap)) : cut(learnt)
      }

      for (const next of steps) {
        if (next.kind === 'acquire' || next.kind === 'try') {
          const id = ids++
          const { priority, timeoutMs } = next
          const fits = line.length === 0 && running.length < limit()
          if (fits) running.push({ id, priority })
          if (next.kind === 'try') {
            const token = limiter.tryAcquire(priority)
            expect(token !== undefined).toBe(fits)
            if (token) tokens.set(id, token)
          } else {
            if (!fits && line.length < maxWaiting) line.push({ id, priority, dueMs: clock.monotonicMs() + timeoutMs })
            else expected.set(id, fits ? 'in' : 'waiting_full')
            const controller = new AbortController()
            controllers.set(id, controller)
            limiter.acquire({ priority, timeoutMs, signal: controller.signal }).then(
              (token) => {
                tokens.set(id, token)
                outcomes.set(id, 'in')
              },
              (error: { reason?: string; name: string }) => outcomes.set(id, error.reason ?? error.name),
            )
          }
        } else if (next.kind === 'success' || next.kind === 'ignore' || next.kind === 'dropped') {
          const ended = running[next.pick % Math.max(1, running.length)]
          if (ended) {
            if (next.kind !== 'ignore') learn(next.kind === 'dropped')
            running = running.filter((each) => each !== ended)
            settle()
            tokens.get(ended.id)![next.kind]()
          }
        } else if (next.kind === 'abort') {
          const wait = line[next.pick % Math.max(1, line.length)]
          if (wait) {
            line = line.filter((other) => other !== wait)
            expected.set(wait.id, 'AbortError')
            controllers.get(wait.id)!.abort()
          }
        } else if (next.kind === 'cap') {
          cap = next.cap
          limiter.refresh()
          settle()
        } else if (next.kind === 'advance') {
          await clock.advanceAsync(next.ms)
          for (const wait of line.filter(({ dueMs }) => dueMs <= clock.monotonicMs()))
            expected.set(wait.id, 'timeout_drop')
          line = line.filter(({ dueMs }) => dueMs > clock.monotonicMs())
        }
        await clock.advanceAsync(0)
        expect(outcomes).toEqual(expected)
        expect([limiter.inFlight, limiter.waiting, limiter.limit]).toEqual([running.length, line.length, limit()])
      }
      limiter.close()
      await clock.advanceAsync(0)
      expect(clock.pending).toBe(0)
      expect(outcomes.size).toBe(controllers.size)
    }),
    { numRuns: numRuns(150) },
  )
})
