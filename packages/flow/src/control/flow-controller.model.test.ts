import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FlowController, ManualClock, priorities, stepLimit } from '../index.ts'
import type { Priority } from '../index.ts'
import { numRuns } from '../testing/runs.ts'

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      times: fc.integer({ min: 1, max: 8 }),
      priority: fc.constantFrom(...priorities),
      ms: fc.constantFrom(0, 5, 15, 40),
      fails: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), pick: fc.nat(50) }) },
)

const legal = new Set(['closed>open', 'open>half-open', 'half-open>open', 'half-open>closed'])

interface Run {
  readonly priority: Priority
  readonly controller: AbortController
  outcome: string | undefined
  state: 'pending' | 'running' | 'over'
}

test('any history: each run settles once, the capacity holds, only high begins while open, ways are legal', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = new ManualClock()
      const runs: Run[] = []
      const controller = new FlowController({
        clock,
        limit: stepLimit({ window: 4, slowMs: 30, fastMs: 10, min: 2, max: 10, start: 6, stepDown: 2, stepUp: 1 }),
        emergencyCapacity: 2,
        maxRecords: 14,
        openMs: 50,
        trialCalls: 3,
        slowTrialMs: 30,
      })
      let state = 'closed'
      controller.on('transition', ({ from, to }) => {
        expect(from).toBe(state)
        expect(legal.has(`${from}>${to}`)).toBe(true)
        state = to
      })
      const running = () => runs.filter((run) => run.state === 'running').length

      const start = (priority: Priority, ms: number, fails: boolean): void => {
        const run: Run = { priority, controller: new AbortController(), outcome: undefined, state: 'pending' }
        runs.push(run)
        const work = async () => {
          expect(run.state).toBe('pending')
          run.state = 'running'
          if (controller.state === 'open') expect(priority).toBe('high')
          expect(running()).toBeLessThanOrEqual(controller.capacity)
          await clock.sleep(ms)
          run.state = 'over'
          if (fails) throw new Error('work')
        }
        const settle = (outcome: string): void => {
          expect(run.outcome).toBeUndefined()
          run.outcome = outcome
          run.state = 'over'
        }
        controller.run(work, { priority, signal: run.controller.signal }).then(
          () => settle('done'),
          (error: { reason?: string; code?: string; message: string }) =>
            settle(error.reason ?? error.code ?? error.message),
        )
      }

      for (const next of steps) {
        if (next.kind === 'run') for (let i = 0; i < next.times; i++) start(next.priority, next.ms, next.fails)
        else if (next.kind === 'abort') runs[next.pick]?.controller.abort(new Error('aborted'))
        else if (next.kind === 'advance') await clock.advanceAsync(next.ms)
        await clock.advanceAsync(0)
        const inspection = controller.inspect()
        expect(inspection.running).toBe(running())
        expect(inspection.load).toBe(runs.filter((run) => run.outcome === undefined).length)
        expect(inspection.queue.records).toBeLessThanOrEqual(14)
        expect(inspection.state).toBe(state)
      }
      controller.close()
      await clock.advanceAsync(1_000)
      const outcomes = new Set(runs.map((run) => run.outcome))
      const known = [
        'done',
        'work',
        'aborted',
        'closed',
        'circuit_open',
        'low_priority_drop',
        'timeout_drop',
        'old_message_dropped',
      ]
      expect([...outcomes].filter((outcome) => !known.includes(outcome!))).toEqual([])
      expect([controller.load, clock.pending]).toEqual([0, 0])
    }),
    { numRuns: numRuns(300) },
  )
})
