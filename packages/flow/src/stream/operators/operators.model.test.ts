import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Flow, ManualClock } from '../../index.ts'
import { Probe } from '../../testing/probe.ts'
import { numRuns } from '../../testing/runs.ts'

interface Scenario {
  readonly count: number
  readonly sourceDelaysMs: readonly number[]
  readonly sinkDelaysMs: readonly number[]
  readonly workDelaysMs: readonly number[]
  readonly failAt: number | undefined
  /** The consumer leaves after so many. */
  readonly leaveAfter: number | undefined
  readonly size: number
}

const delays = fc.array(fc.constantFrom(0, 0, 1, 3, 10), { minLength: 1, maxLength: 5 })
const scenario: fc.Arbitrary<Scenario> = fc.record({
  count: fc.nat(25),
  sourceDelaysMs: delays,
  sinkDelaysMs: delays,
  workDelaysMs: delays,
  failAt: fc.option(fc.nat(25), { nil: undefined, freq: 3 }),
  leaveAfter: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined, freq: 3 }),
  size: fc.integer({ min: 1, max: 6 }),
})

interface Context {
  readonly clock: ManualClock
  readonly scenario: Scenario
  readonly dropped: number[]
  /** Takes as long as the scenario says for this element. */
  readonly work: (value: number) => Promise<number>
}

interface Outcome {
  readonly out: readonly unknown[]
  readonly error: unknown
}

interface Case {
  readonly name: string
  readonly apply: (flow: Flow<number>, context: Context) => Flow<unknown>
  /** What comes out for what went in, where that is one thing only. */
  readonly expected?: (input: readonly number[], scenario: Scenario) => readonly unknown[]
  /** What holds otherwise; `isWhole`: all of the input went through. */
  readonly check?: (outcome: Outcome, input: readonly number[], isWhole: boolean, context: Context) => void
  /** Elements between the source and the consumer at most, the one on its way out included. */
  readonly bound?: (scenario: Scenario) => number
  /** A failure may pass what is held. */
  readonly failsAtOnce?: true
}

const same = (input: readonly number[]) => input
const one = () => 1

const cases: readonly Case[] = [
  { name: 'map', apply: (flow) => flow.map((n) => n * 2), expected: (input) => input.map((n) => n * 2), bound: one },
  {
    name: 'filter and tap',
    apply: (flow) => flow.filter((n) => n % 3 !== 0).tap(() => {}),
    expected: (input) => input.filter((n) => n % 3 !== 0),
  },
  {
    name: 'take',
    apply: (flow, { scenario }) => flow.take(scenario.size),
    expected: (input, { size }) => input.slice(0, size),
    bound: one,
  },
  {
    name: 'mapAsync',
    apply: (flow, { scenario, work }) => flow.mapAsync(scenario.size, work),
    expected: same,
    bound: ({ size }) => size + 1,
  },
  {
    name: 'mapAsyncUnordered',
    apply: (flow, { scenario, work }) => flow.mapAsyncUnordered(scenario.size, work),
    check: ({ out }, input, isWhole) => checkSubset(out, input, isWhole),
    bound: ({ size }) => size + 1,
    failsAtOnce: true,
  },
  {
    name: 'flatMap',
    apply: (flow, { scenario }) => flow.flatMap((n) => [n * 10, n * 10 + 1], { concurrency: scenario.size }),
    check: ({ out }, input, isWhole) => {
      checkSubset(
        out,
        input.flatMap((n) => [n * 10, n * 10 + 1]),
        isWhole,
      )
      const ends = (out as number[]).filter((n) => n % 10 === 1)
      for (const end of ends) expect(out.indexOf(end - 1)).toBeLessThan(out.indexOf(end))
    },
    failsAtOnce: true,
  },
  {
    name: 'flatMapSequential',
    apply: (flow, { scenario, clock, work }) =>
      flow.flatMapSequential((n) => Flow.from([n * 10, n * 10 + 1], { clock }).mapAsync(1, work), {
        concurrency: scenario.size,
        prefetch: 2,
      }),
    expected: (input) => input.flatMap((n) => [n * 10, n * 10 + 1]),
  },
  {
    name: 'buffer',
    apply: (flow, { scenario }) => flow.buffer(scenario.size),
    expected: same,
    bound: ({ size }) => size + 1,
  },
  {
    name: 'limitRate',
    apply: (flow, { scenario }) => flow.limitRate(scenario.size),
    expected: same,
    bound: ({ size }) => size + 1,
  },
  ...(['drop-oldest', 'drop-newest', 'drop-buffer'] as const).map((overflow): Case => ({
    name: `buffer ${overflow}`,
    apply: (flow, { scenario, dropped }) => flow.buffer(scenario.size, overflow, (n) => dropped.push(n)),
    check: checkDrops,
  })),
  {
    name: 'onBackpressureDrop',
    apply: (flow, { dropped }) => flow.onBackpressureDrop((n) => dropped.push(n)),
    check: checkDrops,
  },
  {
    name: 'buffer fail',
    apply: (flow, { scenario }) => flow.onBackpressureBuffer(scenario.size),
    check: ({ out, error }, input) => {
      expect(out).toEqual(input.slice(0, out.length))
      if (out.length < input.length && error)
        expect((error as { code?: string }).code ?? 'source').toMatch(/buffer_overflow|source/)
    },
    failsAtOnce: true,
  },
  { name: 'delayElements', apply: (flow) => flow.delayElements(2), expected: same, bound: one },
  { name: 'throttle', apply: (flow) => flow.throttle({ elements: 1, perMs: 3, burst: 2 }), expected: same, bound: one },
  {
    name: 'conflate',
    apply: (flow) => flow.map((n) => [n]).conflate((a, b) => [...a, ...b]),
    check: checkGroups(Infinity),
  },
  {
    name: 'batch',
    apply: (flow, { scenario }) =>
      flow.batch(
        scenario.size,
        (n) => [n],
        (all, n) => [...all, n],
      ),
    check: (outcome, input, isWhole, context) => checkGroups(context.scenario.size)(outcome, input, isWhole),
    bound: ({ size }) => 2 * size,
  },
  {
    name: 'groupedWithin',
    apply: (flow, { scenario }) => flow.groupedWithin(scenario.size, 7),
    check: (outcome, input, isWhole, context) => checkGroups(context.scenario.size)(outcome, input, isWhole),
    bound: ({ size }) => 3 * size,
  },
  {
    name: 'zip',
    apply: (flow, { scenario }) => flow.zip(Flow.range(100, scenario.size * 3)).map(([n, other]) => `${n} ${other}`),
    expected: (input, { size }) => input.slice(0, size * 3).map((n) => `${n} ${100 + n}`),
    bound: one,
  },
  {
    name: 'merge',
    apply: (flow, { scenario }) => flow.merge(Flow.range(100, scenario.size), [200]),
    check: ({ out }, input, isWhole, { scenario }) => {
      const others = [...Array.from({ length: scenario.size }, (_, i) => 100 + i), 200]
      checkSubset(out, [...input, ...others], isWhole)
      const own = (out as number[]).filter((n) => n < 100)
      expect(own).toEqual(own.toSorted((a, b) => a - b))
    },
    failsAtOnce: true,
  },
  { name: 'retry', apply: (flow) => flow.retry({ retries: 0 }), expected: same, bound: one },
  { name: 'via', apply: (flow) => flow.via((part) => part.buffer(2).map((n) => n)), expected: same, bound: () => 3 },
]

function checkSubset(out: readonly unknown[], input: readonly number[], isWhole: boolean): void {
  const sorted = (all: readonly unknown[]) => (all as number[]).toSorted((a, b) => a - b)
  if (isWhole) expect(sorted(out)).toEqual(sorted(input))
  expect(new Set(out).size).toBe(out.length)
  expect(out.filter((n) => !input.includes(n as number))).toEqual([])
}

/** Whatever went in came out or was told as dropped, each in order, none twice. */
function checkDrops({ out }: Outcome, input: readonly number[], isWhole: boolean, { dropped }: Context): void {
  const given = out as number[]
  expect(given).toEqual(given.toSorted((a, b) => a - b))
  expect(dropped).toEqual(dropped.toSorted((a, b) => a - b))
  const all = [...given, ...dropped].toSorted((a, b) => a - b)
  expect(new Set(all).size).toBe(all.length)
  if (isWhole) expect(all).toEqual(input)
}

function checkGroups(size: number) {
  return ({ out }: Outcome, input: readonly number[], isWhole: boolean): void => {
    const groups = out as number[][]
    for (const group of groups) expect(group.length > 0 && group.length <= size).toBe(true)
    const flat = groups.flat()
    expect(flat).toEqual(isWhole ? input : input.slice(0, flat.length))
  }
}

async function run(each: Case, scenario: Scenario) {
  const clock = new ManualClock()
  const { count, sourceDelaysMs, sinkDelaysMs, workDelaysMs, failAt, leaveAfter } = scenario
  const probe = new Probe({ clock, count, delaysMs: sourceDelaysMs, failAt })
  const dropped: number[] = []
  const work = async (value: number): Promise<number> => {
    const delayMs = workDelaysMs[value % workDelaysMs.length] as number
    if (delayMs > 0) await clock.sleep(delayMs)
    return value
  }
  const context: Context = { clock, scenario, dropped, work }
  const flow = each.apply(Flow.from(probe, { clock }), context)
  const out: unknown[] = []
  let error: unknown
  let maxHeld = 0
  const consume = async (): Promise<void> => {
    for await (const value of flow) {
      maxHeld = Math.max(maxHeld, probe.given - out.flat().length)
      out.push(value)
      if (out.length === leaveAfter) return
      const delayMs = sinkDelaysMs[out.length % sinkDelaysMs.length] as number
      if (delayMs > 0) await clock.sleep(delayMs)
    }
  }
  let isOver = false
  void consume()
    .catch((thrown: unknown) => {
      error = thrown
    })
    .finally(() => {
      isOver = true
    })
  for (let i = 0; i < 50 && !isOver; i++) await clock.advanceAsync(20)
  expect(isOver).toBe(true)
  // What was under way when it was left may end now; after that nothing must be left.
  await clock.advanceAsync(50)
  return { probe, clock, context, outcome: { out, error }, maxHeld }
}

// A source that fails after it was left is told as a warning; here that is usual.
beforeAll(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}))
afterAll(() => void vi.restoreAllMocks())

describe.each(cases)('$name', (each) => {
  test('agrees with its model for any speeds, failures and departures', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (scenario) => {
        const { probe, clock, context, outcome, maxHeld } = await run(each, scenario)
        const { count, failAt, leaveAfter } = scenario
        const input = Array.from({ length: Math.min(count, failAt ?? count) }, (_, i) => i)
        const isFailing = failAt !== undefined && failAt <= count
        const hasLeft = leaveAfter !== undefined && outcome.out.length === leaveAfter

        if (each.expected) {
          const expected = each.expected(input, scenario)
          expect(outcome.out).toEqual(hasLeft ? expected.slice(0, leaveAfter) : expected)
        }
        const isWhole = !hasLeft && !(each.failsAtOnce && (isFailing || outcome.error))
        each.check?.(outcome, input, isWhole, context)
        if (!hasLeft && isFailing && probe.isEnded && each.name !== 'take' && each.name !== 'zip') {
          expect(outcome.error).toBeInstanceOf(Error)
        }
        if (each.bound) expect(maxHeld).toBeLessThanOrEqual(each.bound(scenario))
        expect(probe.maxBusy).toBeLessThanOrEqual(1)
        expect(probe.closed).toBeLessThanOrEqual(1)
        expect(probe.isEnded || probe.closed === 1).toBe(true)
        expect(clock.pending).toBe(0)
      }),
      { numRuns: numRuns(60) },
    )
  })
})
