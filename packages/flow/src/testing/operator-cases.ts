import { expect } from 'vitest'
import { Flow } from '../index.ts'
import type { Apply, Outcome, Scenario, Taken } from './operator-run.ts'

export interface Case {
  readonly name: string
  readonly apply: Apply
  /** Whether a failure of the work shows: what then comes out is what comes out of the elements before it. */
  readonly works?: true
  /** What comes out for what went in, where that is one thing only. `fails`: the source does, after that. */
  readonly expected?: (input: readonly number[], scenario: Scenario, fails: boolean) => readonly unknown[]
  /** Whether so much of the source is asked for that its failure shows. Default: always. */
  readonly reachesEnd?: (input: readonly number[], scenario: Scenario) => boolean
  /** What holds beside that; `isWhole`: all of the input went through. */
  readonly check?: (outcome: Outcome, input: readonly number[], isWhole: boolean) => void
  /** Elements between the source and the consumer at most, the one on its way out included. */
  readonly bound: (scenario: Scenario) => number
  readonly taken?: Taken
  /** A failure passes what is held. */
  readonly failsAtOnce?: true
}

const same = (input: readonly number[]) => input
const one = () => 1
const bySize = ({ size }: Scenario) => size + 1
/** They take from the source also while they are full. */
const andOneComing = ({ size }: Scenario) => size + 2
const twins = (n: number) => [n * 10, n * 10 + 1]
const half: Taken = (out) => Math.floor(out.length / 2)
const throttled = { elements: 1, perMs: 3, burst: 2 }

export const cases: readonly Case[] = [
  {
    name: 'map',
    apply: (flow, { check }) => flow.map((n) => check(n) * 2),
    works: true,
    expected: (input) => input.map((n) => n * 2),
    bound: one,
  },
  {
    name: 'filter and tap',
    apply: (flow, { check }) => flow.tap(check).filter((n) => n % 3 !== 0),
    works: true,
    expected: (input) => input.filter((n) => n % 3 !== 0),
    taken: (out) => (out.length === 0 ? 1 : Math.ceil(((out.at(-1) as number) + 1.5) / 3) + (out.at(-1) as number)),
    bound: one,
  },
  {
    name: 'take',
    apply: (flow, { scenario }) => flow.take(scenario.size),
    expected: (input, { size }) => input.slice(0, size),
    reachesEnd: (input, { size }) => input.length < size,
    bound: one,
  },
  {
    name: 'mapAsync',
    apply: (flow, { scenario, work }) => flow.mapAsync(scenario.size, work),
    works: true,
    expected: same,
    bound: bySize,
  },
  {
    name: 'mapAsyncUnordered',
    apply: (flow, { scenario, work }) => flow.mapAsyncUnordered(scenario.size, work),
    works: true,
    check: ({ out }, input, isWhole) => checkSubset(out, input, isWhole),
    bound: bySize,
    failsAtOnce: true,
  },
  {
    name: 'flatMap',
    apply: (flow, { scenario, check }) => flow.flatMap((n) => twins(check(n)), { concurrency: scenario.size }),
    works: true,
    check: ({ out }, input, isWhole) => {
      checkSubset(out, input.flatMap(twins), isWhole)
      const ends = (out as number[]).filter((n) => n % 10 === 1)
      for (const end of ends) expect(out.indexOf(end - 1)).toBeLessThan(out.indexOf(end))
    },
    taken: half,
    // Those open, those of which the last element waits, and the one just taken.
    bound: ({ size }) => 2 * size + 1,
    failsAtOnce: true,
  },
  {
    name: 'flatMapSequential',
    apply: (flow, { scenario, clock, wait, check }) =>
      flow.flatMapSequential((n) => Flow.from(twins(check(n)), { clock }).mapAsync(1, wait), {
        concurrency: scenario.size,
        prefetch: 2,
      }),
    works: true,
    expected: (input) => input.flatMap(twins),
    taken: half,
    bound: bySize,
  },
  { name: 'buffer', apply: (flow, { scenario }) => flow.buffer(scenario.size), expected: same, bound: bySize },
  { name: 'limitRate', apply: (flow, { scenario }) => flow.limitRate(scenario.size), expected: same, bound: bySize },
  ...(['drop-oldest', 'drop-newest', 'drop-buffer'] as const).map((overflow): Case => ({
    name: `buffer ${overflow}`,
    apply: (flow, { scenario, dropped }) => flow.buffer(scenario.size, overflow, (n) => dropped.push(n)),
    check: checkDrops,
    bound: andOneComing,
  })),
  {
    name: 'onBackpressureBuffer with a listener',
    apply: (flow, { scenario, dropped }) =>
      flow.onBackpressureBuffer(scenario.size, (n) => dropped.push(n), 'drop-oldest'),
    check: checkDrops,
    bound: andOneComing,
  },
  {
    name: 'onBackpressureDrop',
    apply: (flow, { dropped }) => flow.onBackpressureDrop((n) => dropped.push(n)),
    check: checkDrops,
    bound: () => 2,
  },
  {
    name: 'onBackpressureBuffer',
    apply: (flow, { scenario }) => flow.onBackpressureBuffer(scenario.size),
    check: ({ out, error }, input) => {
      expect(out).toEqual(input.slice(0, out.length))
      if (error === undefined) expect(out.length).toBe(input.length)
      if (error?.startsWith('The buffer')) expect(out.length).toBeLessThan(input.length)
    },
    bound: andOneComing,
    failsAtOnce: true,
  },
  {
    name: 'delayElements',
    apply: (flow) => flow.delayElements(2),
    expected: same,
    check: ({ elements, probe }) => {
      for (const [index, { atMs }] of elements.entries())
        expect(atMs).toBeGreaterThanOrEqual(probe.givenAtMs[index]! + 2)
    },
    bound: one,
  },
  { name: 'throttle', apply: (flow) => flow.throttle(throttled), expected: same, check: checkRate, bound: one },
  {
    name: 'conflate',
    apply: (flow, { check }) => flow.map((n) => [n]).conflate((a, b) => [...a, ...b.map(check)]),
    check: checkGroups(() => Infinity),
    bound: () => Infinity,
    failsAtOnce: true,
  },
  {
    name: 'batch',
    apply: (flow, { scenario: { size } }) =>
      flow.batch(
        size,
        (n) => [n],
        (all, n) => [...all, n],
      ),
    check: checkGroups(({ size }) => size),
    taken: (out) => out.flat().length,
    bound: ({ size }) => 2 * size,
  },
  {
    name: 'groupedWithin',
    apply: (flow, { scenario }) => flow.groupedWithin(scenario.size, 7),
    check: (outcome, input, isWhole) => {
      checkGroups(({ size }) => size)(outcome, input, isWhole)
      checkTimes(outcome, input.length)
    },
    taken: (out) => out.flat().length,
    bound: ({ size }) => 3 * size,
  },
  {
    name: 'zip',
    apply: (flow, { scenario }) => flow.zip(Flow.range(100, scenario.size * 3)).map(([n, other]) => `${n} ${other}`),
    expected: (input, { size }) => input.slice(0, size * 3).map((n) => `${n} ${100 + n}`),
    reachesEnd: (input, { size }) => input.length < size * 3,
    bound: one,
  },
  {
    name: 'merge',
    apply: (flow, { scenario }) => flow.merge(Flow.range(100, scenario.size), [200]),
    check: ({ out, context }, input, isWhole) => {
      const others = [...Array.from({ length: context.scenario.size }, (_, i) => 100 + i), 200]
      checkSubset(out, [...input, ...others], isWhole)
      const own = (out as number[]).filter((n) => n < 100)
      expect(own).toEqual(own.toSorted((a, b) => a - b))
    },
    taken: (out) => (out as number[]).filter((n) => n < 100).length,
    // Three sources, so three may wait, and one was just taken.
    bound: () => 4,
    failsAtOnce: true,
  },
  {
    name: 'retry',
    apply: (flow) => flow.retry({ retries: 2, delayMs: 4 }),
    expected: (input, _, fails) => (fails ? [...input, ...input, ...input] : input),
    bound: one,
  },
  { name: 'via', apply: (flow) => flow.via((part) => part.buffer(2).map((n) => n)), expected: same, bound: () => 3 },
]

function checkSubset(out: readonly unknown[], input: readonly number[], isWhole: boolean): void {
  const sorted = (all: readonly unknown[]) => (all as number[]).toSorted((a, b) => a - b)
  if (isWhole) expect(sorted(out)).toEqual(sorted(input))
  expect(new Set(out).size).toBe(out.length)
  expect(out.filter((n) => !input.includes(n as number))).toEqual([])
}

/** Whatever went in came out or was told as dropped, each in order, none twice. */
function checkDrops({ out, context: { dropped } }: Outcome, input: readonly number[], isWhole: boolean): void {
  const given = out as number[]
  expect(given).toEqual(given.toSorted((a, b) => a - b))
  expect(dropped).toEqual(dropped.toSorted((a, b) => a - b))
  const all = [...given, ...dropped].toSorted((a, b) => a - b)
  expect(new Set(all).size).toBe(all.length)
  if (isWhole) expect(all).toEqual(input)
}

function checkGroups(sizeOf: (scenario: Scenario) => number) {
  return ({ out, context }: Outcome, input: readonly number[], isWhole: boolean): void => {
    const groups = out as number[][]
    const size = sizeOf(context.scenario)
    for (const group of groups) expect(group.length > 0 && group.length <= size).toBe(true)
    const flat = groups.flat()
    expect(flat).toEqual(isWhole ? input : input.slice(0, flat.length))
  }
}

/** A group goes when it is full or its time is over, at the latest when it is asked for after that. */
function checkTimes({ elements, probe, context }: Outcome, inputs: number): void {
  let first = 0
  for (const { value, askedMs, atMs } of elements) {
    const { length } = value as number[]
    const dueMs = probe.givenAtMs[first]! + 7
    expect(atMs).toBeLessThanOrEqual(Math.max(dueMs, askedMs))
    first += length
    if (length < context.scenario.size && first < inputs) expect(atMs).toBeGreaterThanOrEqual(dueMs)
  }
}

/** In any time t at most burst + t x rate. */
function checkRate({ elements }: Outcome): void {
  for (const [from, { atMs: fromMs }] of elements.entries()) {
    for (const [to, { atMs }] of elements.entries()) {
      if (to > from) expect(to - from + 1).toBeLessThanOrEqual(throttled.burst + (atMs - fromMs) / throttled.perMs)
    }
  }
}
