import fc from 'fast-check'
import { expect } from 'vitest'
import { Flow, ManualClock } from '../index.ts'
import { Probe } from './probe.ts'

export interface Scenario {
  readonly count: number
  readonly sourceDelaysMs: readonly number[]
  readonly sinkDelaysMs: readonly number[]
  readonly workDelaysMs: readonly number[]
  /** The source fails in place of this element. */
  readonly failAt: number | undefined
  /** The work fails for this element. */
  readonly workFailsAt: number | undefined
  /** How the consumer leaves before the end, if it does. */
  readonly leaving: { readonly how: 'break' | 'throw' | 'abort'; readonly after: number } | undefined
  readonly size: number
}

const delays = fc.array(fc.constantFrom(0, 0, 1, 3, 10), { minLength: 1, maxLength: 5 })
const seldom = { nil: undefined, freq: 3 }

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  count: fc.nat(25),
  sourceDelaysMs: delays,
  sinkDelaysMs: delays,
  workDelaysMs: delays,
  failAt: fc.option(fc.nat(25), seldom),
  workFailsAt: fc.option(fc.nat(25), seldom),
  leaving: fc.option(
    fc.record({
      how: fc.constantFrom('break' as const, 'throw' as const, 'abort' as const),
      after: fc.integer({ min: 1, max: 10 }),
    }),
    seldom,
  ),
  size: fc.integer({ min: 1, max: 6 }),
})

export interface Context {
  readonly clock: ManualClock
  readonly scenario: Scenario
  readonly dropped: number[]
  /** Takes as long as the scenario says for this element. */
  readonly wait: (value: number) => Promise<number>
  /** As `wait`, and fails where the scenario says so. */
  readonly work: (value: number) => Promise<number>
  /** Throws where the work is to fail. */
  readonly check: (value: number) => number
}

export interface Element {
  readonly value: unknown
  /** When the consumer asked for it, and when it got it. */
  readonly askedMs: number
  readonly atMs: number
}

export interface Outcome {
  readonly elements: readonly Element[]
  readonly out: readonly unknown[]
  /** What the consumer heard last: nothing at the end, or an error's message. */
  readonly error: string | undefined
  readonly hasLeft: boolean
  readonly probe: Probe
  readonly context: Context
  /** Elements that were given by the source and had neither reached the consumer nor been told as dropped, at most. */
  readonly maxHeld: number
}

export type Apply = (flow: Flow<number>, context: Context) => Flow<unknown>

/** How many elements of the source stand behind what came out. */
export type Taken = (out: readonly unknown[], probe: Probe) => number

/** Lets a flow through an operator be consumed as the scenario says, until it is over and nothing is under way. */
export async function runOperator(apply: Apply, taken: Taken, scenario: Scenario): Promise<Outcome> {
  const clock = new ManualClock()
  const { count, sourceDelaysMs, sinkDelaysMs, failAt, leaving } = scenario
  const probe = new Probe({ clock, count, delaysMs: sourceDelaysMs, failAt })
  const context = contextOf(scenario, clock)
  const flow = apply(Flow.from(probe, { clock }), context)
  const elements: Element[] = []
  const aborter = new AbortController()
  let maxHeld = 0
  let askedMs = 0

  const take = async (value: unknown): Promise<void> => {
    const out = elements.map((element) => element.value)
    maxHeld = Math.max(maxHeld, probe.given - taken(out, probe) - context.dropped.length)
    elements.push({ value, askedMs, atMs: clock.monotonicMs() })
    if (leaving?.how === 'throw' && elements.length === leaving.after) throw new Error('left')
    const delayMs = sinkDelaysMs[elements.length % sinkDelaysMs.length] as number
    if (delayMs > 0) await clock.sleep(delayMs)
    askedMs = clock.monotonicMs()
  }
  const consume = async (): Promise<void> => {
    if (leaving?.how !== 'break') return flow.forEach(take, { signal: aborter.signal })
    for await (const value of flow) {
      await take(value)
      if (elements.length === leaving.after) throw new Error('left')
    }
  }

  if (leaving?.how === 'abort') clock.setTimeout(() => aborter.abort(new Error('left')), leaving.after * 5)
  let error: string | undefined
  let isOver = false
  void consume()
    .catch((thrown: unknown) => {
      error = (thrown as Error).message
    })
    .finally(() => {
      isOver = true
    })
  // The longest: 25 elements, each 10 ms at the source, at work and at the sink, and all of it three times.
  for (let i = 0; i < 120 && !isOver; i++) await clock.advanceAsync(20)
  expect(isOver).toBe(true)
  // What was under way when it was left may end now; after that nothing must be left.
  await clock.advanceAsync(60)
  expect(clock.pending).toBe(0)
  const out = elements.map((element) => element.value)
  return { elements, out, error, hasLeft: error === 'left', probe, context, maxHeld }
}

function contextOf(scenario: Scenario, clock: ManualClock): Context {
  const { workDelaysMs, workFailsAt } = scenario
  const check = (value: number): number => {
    if (value === workFailsAt) throw new Error('work')
    return value
  }
  const wait = async (value: number): Promise<number> => {
    const delayMs = workDelaysMs[value % workDelaysMs.length] as number
    if (delayMs > 0) await clock.sleep(delayMs)
    return value
  }
  const work = (value: number): Promise<number> => wait(value).then(check)
  return { clock, scenario, dropped: [], wait, work, check }
}
