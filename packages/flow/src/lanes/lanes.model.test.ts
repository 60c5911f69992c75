import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Lanes, ManualClock } from '../index.ts'
import { priorities } from '../internal.ts'
import type { LaneTask, Priority } from '../index.ts'
import { numRuns } from '../testing/runs.ts'

const ageingMs = 12

interface Item {
  readonly id: number
  readonly lane: string | undefined
  readonly priority: Priority
  readonly enteredMs: number
  heldUntilMs: number
  state: 'waiting' | 'running' | 'gone'
}

const isSameLane = (a: Item, b: Item) => a === b || (a.lane !== undefined && a.lane === b.lane)

/** What could be taken: the first waiting one of each lane that neither runs nor is held. */
function headsOf(items: readonly Item[], nowMs: number): readonly Item[] {
  const waiting = items.filter((item) => item.state === 'waiting')
  return waiting.filter(
    (item) =>
      item.heldUntilMs <= nowMs &&
      !items.some((other) => isSameLane(other, item) && other.state === 'running') &&
      !waiting.some((other) => isSameLane(other, item) && other.id < item.id),
  )
}

interface Rules {
  readonly nowMs: number
  readonly boosted: ReadonlySet<string>
  readonly highFirstBelow: number
}

/** Looks through all items at each step: the first waiting one of each lane that does not run, the best of those. */
function nextOf(items: readonly Item[], { nowMs, boosted, highFirstBelow }: Rules): Item | undefined {
  const heads = headsOf(items, nowMs)
  const waiting = items.filter((item) => item.state === 'waiting')
  const importance = (head: Item) =>
    head.lane !== undefined && boosted.has(head.lane)
      ? 0
      : Math.min(
          ...waiting.filter((other) => isSameLane(other, head)).map((other) => priorities.indexOf(other.priority)),
        )
  const runningHigh = items.filter((item) => item.state === 'running' && item.priority === 'high').length
  const high = runningHigh < highFirstBelow ? heads.find((head) => importance(head) === 0) : undefined
  const aged = heads.find((item) => item.enteredMs + ageingMs <= nowMs)
  return high ?? aged ?? heads.toSorted((a, b) => importance(a) - importance(b) || a.id - b.id)[0]
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      lane: fc.constantFrom('a', 'b', 'c', undefined),
      priority: fc.constantFrom(...priorities),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('start' as const),
      lane: fc.constantFrom('a', 'b', 'c', undefined),
      priority: fc.constantFrom(...priorities),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('done' as const), pick: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('again' as const), pick: fc.nat(5), ms: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('remove' as const), modulus: fc.integer({ min: 2, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('boost' as const), lane: fc.constantFrom('a', 'b', 'c') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 4, 4, 8) }) },
)

test('any history agrees with the model: order in a lane, importance, ageing bound, nothing lost', () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 0, 1, 2), fc.array(step, { maxLength: 80 }), (highFirstBelow, steps) => {
      const clock = new ManualClock()
      const lanes = new Lanes<number>({
        ageingMs,
        highFirstBelow: () => highFirstBelow,
        clock,
        stuckAfterMs: 15,
        onStuck: () => {},
      })
      const items: Item[] = []
      const tasks: LaneTask<number>[] = []
      const boosted = new Set<string>()
      const nowMs = () => clock.monotonicMs()
      const isAlive = (lane: string) => items.some((item) => item.lane === lane && item.state !== 'gone')

      for (const next of steps) {
        if (next.kind === 'push') {
          const { lane, priority } = next
          items.push({ id: items.length, lane, priority, enteredMs: nowMs(), heldUntilMs: 0, state: 'waiting' })
          lanes.push(items.length - 1, { lane, priority })
        } else if (next.kind === 'start') {
          const { lane, priority } = next
          const id = items.length
          if (lane !== undefined && isAlive(lane)) expect(() => lanes.start(id, { lane })).toThrow('not free')
          else {
            items.push({ id, lane, priority, enteredMs: nowMs(), heldUntilMs: 0, state: 'running' })
            tasks.push(lanes.start(id, { lane, priority }))
          }
        } else if (next.kind === 'take') {
          const expected = nextOf(items, { nowMs: nowMs(), boosted, highFirstBelow })
          const task = lanes.take()
          expect(task?.item).toBe(expected?.id)
          if (task && expected) {
            expected.state = 'running'
            tasks.push(task)
            if (expected.lane !== undefined) boosted.delete(expected.lane)
          }
        } else if (next.kind === 'done' || next.kind === 'again') {
          const [task] = tasks.splice(next.pick % Math.max(1, tasks.length), 1)
          if (task) {
            const item = items[task.item]!
            item.state = next.kind === 'done' ? 'gone' : 'waiting'
            if (next.kind === 'done') lanes.done(task)
            else {
              item.heldUntilMs = nowMs() + next.ms
              lanes.again(task, next.ms)
            }
          }
        } else if (next.kind === 'remove') {
          const isWanted = (id: number) => id % next.modulus === 0
          const expected = items.filter((item) => item.state === 'waiting' && isWanted(item.id))
          for (const item of expected) item.state = 'gone'
          expect(lanes.remove(isWanted).toSorted((a, b) => a - b)).toEqual(expected.map((item) => item.id))
        } else if (next.kind === 'boost') {
          if (isAlive(next.lane)) boosted.add(next.lane)
          lanes.boost(next.lane)
        } else clock.advance(next.ms)

        for (const lane of boosted) if (!isAlive(lane)) boosted.delete(lane)
        const waiting = items.filter((item) => item.state === 'waiting')
        expect([lanes.waiting, lanes.running]).toEqual([waiting.length, tasks.length])
        expect(lanes.ready).toBe(headsOf(items, nowMs()).length)
        const alive = items.filter((item) => item.state !== 'gone')
        expect(['a', 'b', 'c'].filter((lane) => lanes.has(lane))).toEqual(['a', 'b', 'c'].filter(isAlive))
        expect(lanes.size).toBe(new Set(alive.map(({ lane, id }) => lane ?? id)).size)
        const [oldest] = waiting
        expect(lanes.inspect().oldestWaitMs).toBe(oldest ? nowMs() - oldest.enteredMs : 0)
      }
      lanes.close()
      expect(clock.pending).toBe(0)
    }),
    { numRuns: numRuns(150) },
  )
})
