import { CircuitState } from 'cockatiel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FlowController, ManualClock, stepLimit } from '../index.ts'
import { priorities } from '../internal.ts'
import type { Priority } from '../index.ts'
import { numRuns } from '../testing/runs.ts'
import { ControllerModel } from '../testing/controller-model.ts'
import type { Run } from '../testing/controller-model.ts'

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      times: fc.integer({ min: 1, max: 8 }),
      priority: fc.constantFrom(...priorities),
      ms: fc.constantFrom(0, 5, 15, 40),
      fails: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), back: fc.nat(8) }) },
)

/** Leads into half-open, where histories by chance seldom come. */
const overload = [
  { kind: 'run', times: 25, priority: 'medium', ms: 5, fails: false },
  { kind: 'advance', ms: 50 },
] as const
const history = fc
  .tuple(fc.constantFrom([], overload), fc.array(step, { maxLength: 50 }))
  .map(([before, steps]) => [...before, ...steps])

const settings = fc.record({
  overloadFactor: fc.constantFrom(1.5, 4),
  maxRecords: fc.constantFrom(5, 14),
  emergencyCapacity: fc.constantFrom(2, 7),
})

/** Three failures in a row open it; in half-open one is enough. */
function threeInARow() {
  let failures = 0
  const failure = (state: CircuitState): boolean => ++failures >= 3 || state === CircuitState.HalfOpen
  return { state: undefined, success: () => void (failures = 0), failure }
}

test('any history agrees with the model: outcomes, capacity, state, load, transitions and alerts', async () => {
  await fc.assert(
    fc.asyncProperty(settings, history, async (options, steps) => {
      const clock = new ManualClock()
      const alerts: unknown[] = []
      const transitions: unknown[] = []
      const controller = new FlowController({
        ...options,
        clock,
        limit: stepLimit({ window: 4, slowMs: 30, fastMs: 10, min: 2, max: 10, start: 6, stepDown: 2, stepUp: 1 }),
        openMs: 50,
        trialCalls: 3,
        slowTrialMs: 30,
        strategy: threeInARow(),
        onAlert: ({ reason, load, capacity }) => alerts.push({ reason, load, capacity }),
      })
      controller.on('transition', (transition) => transitions.push(transition))
      const model = new ControllerModel(options)
      const outcomes = new Map<number, string>()
      const controllers = new Map<number, AbortController>()
      let running = 0

      const start = (priority: Priority, ms: number, fails: boolean): void => {
        const id = controllers.size
        const aborter = new AbortController()
        controllers.set(id, aborter)
        const run: Run = { id, priority, ms, fails, startedMs: undefined, permit: undefined }
        const work = async () => {
          running++
          await clock.sleep(ms)
          running--
          if (fails) throw new Error('work')
        }
        const settle = (outcome: string): void => {
          expect(outcomes.has(id)).toBe(false)
          outcomes.set(id, outcome)
        }
        controller.run(work, { priority, signal: aborter.signal }).then(
          () => settle('done'),
          (error: { reason?: string; code?: string; message: string }) =>
            settle(error.reason ?? error.code ?? error.message),
        )
        model.run(run)
      }

      for (const next of steps) {
        if (next.kind === 'run') for (let i = 0; i < next.times; i++) start(next.priority, next.ms, next.fails)
        else if (next.kind === 'abort') {
          const id = controllers.size - 1 - next.back
          controllers.get(id)?.abort(new Error('aborted'))
          model.abort(id)
        } else if (next.kind === 'advance') await clock.advanceAsync(next.ms)
        await clock.advanceAsync(0)
        model.advance(next.kind === 'advance' ? next.ms : 0)

        expect(outcomes).toEqual(model.outcomes)
        expect(transitions).toEqual(model.transitions)
        expect(alerts).toEqual(model.alerts)
        const { state, load, capacity } = model
        expect(controller.inspect()).toMatchObject({ state, load, capacity, running: model.running.length })
        expect(running).toBe(model.running.length)
        expect(controller.throttled).toBe(load >= capacity)
      }
      controller.close()
      await clock.advanceAsync(1_000)
      expect([controller.load, running, clock.pending]).toEqual([0, 0, 0])
      expect(outcomes.size).toBe(controllers.size)
      for (const [id, outcome] of outcomes) {
        expect(outcome).toBe(model.outcomes.get(id) ?? model.outcomeOfClosing(id))
      }
    }),
    { numRuns: numRuns(60) },
  )
})
