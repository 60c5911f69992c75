import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Flow, ManualClock } from '../../index.ts'
import { cases } from '../../testing/operator-cases.ts'
import type { Case } from '../../testing/operator-cases.ts'
import { runOperator, scenario } from '../../testing/operator-run.ts'
import type { Outcome, Scenario } from '../../testing/operator-run.ts'
import { numRuns } from '../../testing/runs.ts'

// A source that fails after it was left is told as a warning; here that is usual.
beforeAll(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}))
afterAll(() => void vi.restoreAllMocks())

const sizeOfOut = (out: readonly unknown[]): number => out.length

/** What goes in before anything fails, and what then fails. */
function whatGoesIn({ works, reachesEnd }: Case, scenario: Scenario) {
  const { count, failAt, workFailsAt } = scenario
  const all = Array.from({ length: Math.min(count, failAt ?? count) }, (_, i) => i)
  const input = works && workFailsAt !== undefined ? all.slice(0, workFailsAt) : all
  const sourceFails = failAt !== undefined && failAt <= count
  const isReached = reachesEnd?.(input, scenario) ?? true
  const error = input.length < all.length ? 'work' : sourceFails && isReached ? 'source' : undefined
  return { all, input, error }
}

function check(each: Case, scenario: Scenario, outcome: Outcome): void {
  const { all, input, error } = whatGoesIn(each, scenario)
  const { out, hasLeft, probe, maxHeld } = outcome
  if (each.expected) {
    const expected = each.expected(input, scenario, error === 'source')
    expect(out).toEqual(hasLeft ? expected.slice(0, out.length) : expected)
    if (!hasLeft) expect(outcome.error).toBe(error)
  }
  if (!each.failsAtOnce && !hasLeft) expect(outcome.error).toBe(error)
  if (each.failsAtOnce && !hasLeft && error) expect(outcome.error).toBeDefined()
  const isWhole = !hasLeft && !(each.failsAtOnce && outcome.error)
  each.check?.(outcome, each.failsAtOnce ? all : input, isWhole)
  expect(maxHeld).toBeLessThanOrEqual(each.bound(scenario))
  expect(probe.maxBusy).toBeLessThanOrEqual(1)
  expect(probe.open).toBe(0)
  expect(probe.closed).toBeLessThanOrEqual(probe.opened)
}

describe.each(cases)('$name', (each) => {
  test('agrees with its model for any speeds, failures and departures', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (scenario) => {
        check(each, scenario, await runOperator(each.apply, each.taken ?? sizeOfOut, scenario))
      }),
      { numRuns: numRuns(60) },
    )
  })
})

test('a tick agrees with its model: given at its beat to who waits for it, left out otherwise', async () => {
  const delays = fc.array(fc.nat(25), { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 10 }), delays, async (intervalMs, delaysMs) => {
      const clock = new ManualClock()
      const atMs: number[] = []
      const running = Flow.tick(intervalMs, 'tick', { clock })
        .take(delaysMs.length)
        .forEach(() => clock.sleep(delaysMs[atMs.push(clock.monotonicMs()) - 1]!))
      await clock.advanceAsync(delaysMs.length * 40)
      await running
      // Who is ready at the very moment of a beat gets it only if he was to be ready before the beat was set.
      const next = (readyMs: number, lastMs: number) => {
        const isInTime = readyMs % intervalMs === 0 && readyMs - lastMs > intervalMs
        return isInTime ? readyMs : (Math.floor(readyMs / intervalMs) + 1) * intervalMs
      }
      const expected: number[] = []
      for (const index of delaysMs.keys()) {
        const lastMs = expected.at(-1) ?? 0
        expected.push(index === 0 ? intervalMs : next(lastMs + delaysMs[index - 1]!, lastMs))
      }
      expect(atMs).toEqual(expected)
      expect(clock.pending).toBe(0)
    }),
    { numRuns: numRuns(60) },
  )
})
