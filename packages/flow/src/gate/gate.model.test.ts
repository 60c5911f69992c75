import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Gate, ManualClock } from '../index.ts'
import { numRuns } from '../testing/runs.ts'

const maxRecords = 6
const maxBytes = 60
const high = 5
const low = 2
const maxWaiting = 3

interface Amounts {
  readonly bytes: number
  readonly records: number
}

type Step =
  | (Amounts & { readonly kind: 'try' | 'acquire' | 'charge'; readonly timeoutMs: number })
  | { readonly kind: 'release' | 'abort'; readonly pick: number }
  | { readonly kind: 'advance'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('try' as const, 'acquire' as const, 'acquire' as const, 'charge' as const),
    bytes: fc.integer({ min: 0, max: 80 }),
    records: fc.integer({ min: 0, max: 8 }),
    timeoutMs: fc.constantFrom(5, 20, Infinity),
  }),
  fc.record({ kind: fc.constantFrom('release' as const, 'release' as const, 'abort' as const), pick: fc.nat(20) }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 10 }) }),
)

interface Waiting extends Amounts {
  readonly id: number
  readonly dueMs: number
}

/** The gate as simply as it can be said: arrays, looked through each time. */
class Model {
  inside: Amounts[] = []
  line: Waiting[] = []
  outcomes = new Map<number, 'in' | 'timeout_drop' | 'waiting_full' | 'aborted'>()
  throttled = false
  nowMs = 0

  get records(): number {
    return this.inside.reduce((sum, held) => sum + held.records, 0)
  }

  get bytes(): number {
    return this.inside.reduce((sum, held) => sum + held.bytes, 0)
  }

  fits({ bytes, records }: Amounts): boolean {
    const isEmpty = this.records === 0 && this.bytes === 0
    return isEmpty || (this.records + records <= maxRecords && this.bytes + bytes <= maxBytes)
  }

  enter({ bytes, records }: Amounts): void {
    this.inside.push({ bytes, records })
  }

  settle(): void {
    while (this.line[0] && this.fits(this.line[0])) {
      const next = this.line.shift()!
      this.enter(next)
      this.outcomes.set(next.id, 'in')
    }
    const usage = Math.max(this.records / maxRecords, this.bytes / maxBytes)
    if (usage >= high / maxRecords) this.throttled = true
    else if (usage <= low / maxRecords) this.throttled = false
  }

  advance(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.nowMs++
      for (const late of this.line.filter((waiting) => waiting.dueMs === this.nowMs)) {
        if (!this.line.includes(late)) continue
        this.line = this.line.filter((waiting) => waiting !== late)
        this.outcomes.set(late.id, 'timeout_drop')
        this.settle()
      }
    }
  }
}

test('any history agrees with the model: conservation, bounds, first come first served, hysteresis', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new ManualClock()
      const model = new Model()
      const told: boolean[] = []
      const gate = new Gate({
        maxRecords,
        maxBytes,
        highWatermark: high,
        lowWatermark: low,
        maxWaiting,
        clock,
        onThrottled: () => told.push(true),
        onReleased: () => told.push(false),
      })
      const outcomes = new Map<number, string>()
      const controllers = new Map<number, AbortController>()
      let id = 0
      for (const next of steps) {
        const wasThrottled = model.throttled
        await run(next)
        expect(gate.inspect()).toMatchObject({
          records: model.records,
          bytes: model.bytes,
          throttled: model.throttled,
          waiting: model.line.length,
        })
        expect(outcomes).toEqual(model.outcomes)
        if (model.throttled !== wasThrottled) expect(told.at(-1)).toBe(model.throttled)
      }
      gate.close()
      await clock.advanceAsync(0)
      expect(clock.pending).toBe(0)
      expect(outcomes.size).toBe(controllers.size)

      async function run(next: Step): Promise<void> {
        if (next.kind === 'try') {
          const expected = model.line.length === 0 && model.fits(next)
          if (expected) model.enter(next)
          expect(gate.tryAcquire(next.bytes, next.records)).toBe(expected)
          model.settle()
        } else if (next.kind === 'acquire') {
          acquire(next)
          model.settle()
        } else if (next.kind === 'charge') {
          model.enter(next)
          gate.charge(next.bytes, next.records)
          const line = model.line
          model.line = []
          model.settle()
          model.line = line
        } else if (next.kind === 'release') {
          const [held] = model.inside.splice(next.pick % Math.max(1, model.inside.length), 1)
          if (held) {
            gate.release(held.bytes, held.records)
            model.settle()
          }
        } else if (next.kind === 'abort') {
          const waiting = model.line[next.pick % Math.max(1, model.line.length)]
          if (waiting) {
            controllers.get(waiting.id)!.abort()
            model.line = model.line.filter((other) => other !== waiting)
            model.outcomes.set(waiting.id, 'aborted')
            model.settle()
          }
        } else if (next.kind === 'advance') {
          model.advance(next.ms)
          await clock.advanceAsync(next.ms)
        }
        await clock.advanceAsync(0)
      }

      function acquire({ bytes, records, timeoutMs }: Amounts & { readonly timeoutMs: number }): void {
        const own = id++
        const controller = new AbortController()
        controllers.set(own, controller)
        if (model.line.length === 0 && model.fits({ bytes, records })) {
          model.enter({ bytes, records })
          model.outcomes.set(own, 'in')
        } else if (model.line.length >= maxWaiting) model.outcomes.set(own, 'waiting_full')
        else model.line.push({ id: own, bytes, records, dueMs: model.nowMs + timeoutMs })
        gate.acquire(bytes, { records, timeoutMs, signal: controller.signal }).then(
          () => outcomes.set(own, 'in'),
          (error: { reason?: string; code?: string; name?: string }) =>
            outcomes.set(own, error.reason ?? (error.name === 'AbortError' ? 'aborted' : error.code!)),
        )
      }
    }),
    { numRuns: numRuns(300) },
  )
})
