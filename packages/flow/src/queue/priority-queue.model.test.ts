import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock, PriorityQueue } from '../index.ts'
import { priorities } from '../internal.ts'
import type { Priority, QueueEntry } from '../index.ts'
import { numRuns } from '../testing/runs.ts'

const maxRecords = 5
const maxBytes = 20
const maxWaiting = 3
const waitMs = { high: 30, medium: 10, low: 0 }

type Step =
  | { readonly kind: 'push'; readonly priority: Priority; readonly bytes: number }
  | { readonly kind: 'take' | 'seal' | 'release' | 'abort'; readonly pick: number }
  | { readonly kind: 'retain' }
  | { readonly kind: 'advance'; readonly ms: number }

const push = fc.record({
  kind: fc.constant('push' as const),
  priority: fc.constantFrom(...priorities),
  bytes: fc.oneof({ weight: 9, arbitrary: fc.nat(8) }, { weight: 1, arbitrary: fc.nat(30) }),
})
const pick = fc.record({
  kind: fc.constantFrom('take' as const, 'seal' as const, 'release' as const, 'release' as const, 'abort' as const),
  pick: fc.nat(10),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: push },
  { weight: 10, arbitrary: pick },
  { weight: 1, arbitrary: fc.constant({ kind: 'retain' as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 12 }) }) },
)

interface Item {
  readonly id: number
  readonly priority: Priority
  readonly bytes: number
  readonly dueMs: number
  sealed: boolean
}

/** The queue as simply as it can be said; `outcomes` is the account that must come out the same. */
class Model {
  inside: Item[] = []
  line: Item[] = []
  outcomes = new Map<number, string>()
  nowMs = 0

  fits(bytes: number): boolean {
    const bytesInside = this.inside.reduce((sum, item) => sum + item.bytes, 0)
    return this.inside.length + 1 <= maxRecords && bytesInside + bytes <= maxBytes
  }

  evictable(): Item | undefined {
    const queued = (priority: Priority) => this.inside.find((item) => item.priority === priority && !item.sealed)
    return queued('low') ?? queued('medium')
  }

  enter(item: Item): boolean {
    if (this.fits(item.bytes) || (item.bytes > maxBytes && this.inside.length === 0)) {
      this.inside.push(item)
      return true
    }
    if (item.priority !== 'high') return false
    const before = [...this.inside]
    const evicted: Item[] = []
    while (!this.fits(item.bytes)) {
      const victim = this.evictable()
      if (!victim) {
        this.inside = before
        return false
      }
      evicted.push(victim)
      this.inside = this.inside.filter((other) => other !== victim)
    }
    for (const victim of evicted) this.outcomes.set(victim.id, 'old_message_dropped')
    this.inside.push(item)
    return true
  }

  push(item: Item): void {
    const rank = priorities.indexOf(item.priority)
    const isBehind = this.line.some((other) => priorities.indexOf(other.priority) <= rank)
    if (!isBehind && this.enter(item)) this.outcomes.set(item.id, 'in')
    else if (item.priority === 'low') this.outcomes.set(item.id, 'low_priority_drop')
    else if (this.line.length >= maxWaiting) this.outcomes.set(item.id, 'waiting_full')
    else this.line.push(item)
  }

  settle(): void {
    for (const priority of priorities) {
      for (const item of this.line.filter((other) => other.priority === priority)) {
        if (!this.enter(item)) return
        this.line = this.line.filter((other) => other !== item)
        this.outcomes.set(item.id, 'in')
      }
    }
  }

  leaveLine(item: Item, outcome: string): void {
    this.line = this.line.filter((other) => other !== item)
    this.outcomes.set(item.id, outcome)
    this.settle()
  }

  next(): Item | undefined {
    for (const priority of priorities) {
      const first = this.inside.find((item) => item.priority === priority && !item.sealed)
      if (first) return first
    }
    return undefined
  }

  retainHigh(): void {
    for (const item of this.inside.filter((other) => other.priority !== 'high' && !other.sealed)) {
      this.inside = this.inside.filter((other) => other !== item)
      this.outcomes.set(item.id, 'low_priority_drop')
    }
    for (const item of this.line.filter((other) => other.priority !== 'high')) {
      this.line = this.line.filter((other) => other !== item)
      this.outcomes.set(item.id, 'low_priority_drop')
    }
    this.settle()
  }

  advance(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.nowMs++
      for (const item of this.line.filter((other) => other.dueMs === this.nowMs)) {
        if (this.line.includes(item)) this.leaveLine(item, 'timeout_drop')
      }
    }
  }
}

test('any history agrees with the model: each item is inside, released, shed with its reason, or waits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new ManualClock()
      const model = new Model()
      const outcomes = new Map<number, string>()
      const entries = new Map<number, QueueEntry<number>>()
      const controllers = new Map<number, AbortController>()
      const queue = new PriorityQueue<number>({
        maxRecords,
        maxBytes,
        maxWaiting,
        mediumWaitMs: waitMs.medium,
        highWaitMs: waitMs.high,
        clock,
        onShed: ({ entry, error }) => outcomes.set(entry.item, error.reason),
      })
      let pushed = 0
      const find = (item: Item | undefined) => (item ? entries.get(item.id) : undefined)

      const doPush = (priority: Priority, bytes: number): void => {
        const id = pushed++
        const controller = new AbortController()
        controllers.set(id, controller)
        model.push({ id, priority, bytes, dueMs: model.nowMs + waitMs[priority], sealed: false })
        queue.push(id, { priority, bytes, signal: controller.signal }).then(
          (entry) => {
            entries.set(id, entry)
            if (!outcomes.has(id)) outcomes.set(id, 'in')
          },
          (error: { reason?: string; name: string }) => outcomes.set(id, error.reason ?? error.name),
        )
      }

      for (const next of steps) {
        if (next.kind === 'push') doPush(next.priority, next.bytes)
        else if (next.kind === 'take') {
          const expected = model.next()
          expect(queue.take()?.item).toBe(expected?.id)
          if (expected) expected.sealed = true
        } else if (next.kind === 'seal') {
          const item = model.inside.filter((other) => !other.sealed)[next.pick]
          if (item) queue.seal(find(item)!)
          if (item) item.sealed = true
        } else if (next.kind === 'release') {
          const item = model.inside[next.pick]
          if (item) {
            model.inside = model.inside.filter((other) => other !== item)
            model.outcomes.set(item.id, 'released')
            outcomes.set(item.id, 'released')
            queue.release(find(item)!)
            model.settle()
          }
        } else if (next.kind === 'abort') {
          const item = model.line[next.pick]
          if (item) controllers.get(item.id)!.abort()
          if (item) model.leaveLine(item, 'AbortError')
        } else if (next.kind === 'retain') {
          queue.retainOnly('high')
          model.retainHigh()
        } else if (next.kind === 'advance') {
          model.advance(next.ms)
          await clock.advanceAsync(next.ms)
        }
        await clock.advanceAsync(0)
        expect(outcomes).toEqual(model.outcomes)
        expect(queue.inspect()).toMatchObject({
          records: model.inside.length,
          bytes: model.inside.reduce((sum, item) => sum + item.bytes, 0),
          waiting: model.line.length,
        })
        expect(queue.length).toBe(model.inside.filter((item) => !item.sealed).length)
      }
      queue.close()
      await clock.advanceAsync(0)
      expect(outcomes.size).toBe(pushed)
      expect(clock.pending).toBe(0)
    }),
    { numRuns: numRuns(150) },
  )
})
