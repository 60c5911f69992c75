import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MapBudget } from './map-budget.ts'
import { decodeOffsetMap, encodeOffsetMap } from './offset-map.ts'
import type { PartitionLog } from '../intake/partition-log.ts'
import { Tracker } from './tracker.ts'

const topicId = '0b1c4f2e-8f6e-4b7a-9a53-0f1f6a2b3c4d'
const runs = Number(process.env['SLUICE_LONG_RUNS'] ?? 3)

interface Way {
  readonly concurrency: number
  /** Of the records that are out, how often one stays so for good. */
  readonly stuck: number
  /** How often offsets before a record are missing, and how many at most. */
  readonly gaps: number
  readonly gapLength: number
  readonly seed: number
}

function generator(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

/** Takes and finishes until nothing more may be taken; the head stays open. Returns the longest map that there was. */
function fill(budget: MapBudget, tracker: Tracker, way: Way, most: number): { longest: number; taken: number } {
  const log = { tracker, epoch: 5 } as unknown as PartitionLog
  const random = generator(way.seed)
  const out: { start: number; end: number }[] = []
  const open: { start: number; end: number }[] = []
  let longest = 0
  let taken = 0
  const take = (): boolean => {
    if (out.length + open.length > 0 && !budget.allows(log, topicId, out.length + open.length)) return false
    const gap = random() < way.gaps ? Math.ceil(random() * way.gapLength) : 0
    let end = tracker.taken + gap + 1
    while (tracker.wasFinished(end - 1)) {
      tracker.finish(tracker.take(end), end)
      end++
    }
    const range = { start: tracker.take(end), end }
    if (taken++ === 0 || random() < way.stuck) open.push(range)
    else out.push(range)
    return true
  }
  while (taken < most) {
    let mayTake = true
    while (mayTake && out.length < way.concurrency && taken < most) mayTake = take()
    if (out.length === 0) break
    const [one] = out.splice(Math.floor(random() * out.length), 1)
    tracker.finish(one!.start, one!.end)
    if (!mayTake || taken % 97 === 0) longest = Math.max(longest, lengthOf(tracker))
  }
  for (const { start, end } of out) tracker.finish(start, end)
  return { longest: Math.max(longest, lengthOf(tracker)), taken }
}

const mapOf = (tracker: Tracker): string =>
  encodeOffsetMap({ base: tracker.position, topicId, leaderEpoch: 5, ranges: tracker.rangesAhead() })
const lengthOf = (tracker: Tracker): number => mapOf(tracker).length

const ways = fc.record({
  concurrency: fc.constantFrom(1, 10, 200),
  stuck: fc.constantFrom(0, 0.001, 0.01, 0.1, 0.5),
  gaps: fc.constantFrom(0, 0.01, 0.5),
  // After a restart each offset of a gap is asked about: longer ones would cost minutes.
  gapLength: fc.constantFrom(2, 100, 2_000),
  seed: fc.integer({ min: 1, max: 2_147_483_646 }),
})

/** Ways that come closest: those that a budget a little too wide fails at. */
const close: readonly Way[] = [
  { concurrency: 200, stuck: 0.1, gaps: 0.5, gapLength: 2_000, seed: 1 },
  { concurrency: 200, stuck: 0.5, gaps: 0.5, gapLength: 100, seed: 1 },
]

test(
  'whatever is finished and whatever stays open, the map never passes what may be committed',
  { timeout: 60_000 },
  () => {
    fc.assert(
      fc.property(ways, (way) => {
        const { longest } = fill(new MapBudget(), new Tracker(0), way, 26_000)
        expect(longest).toBeLessThanOrEqual(4_096)
      }),
      { numRuns: close.length + runs, examples: close.map((way) => [way]) },
    )
  },
)

test('nor does it after a restart from such a map', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(ways, ways, (before, after) => {
      const tracker = new Tracker(0)
      fill(new MapBudget(), tracker, before, 26_000)
      const map = decodeOffsetMap(mapOf(tracker))
      const { longest } = fill(new MapBudget(), new Tracker(tracker.position, map?.ranges), after, 8_000)
      expect(longest).toBeLessThanOrEqual(4_096)
    }),
    { numRuns: close.length + runs, examples: close.map((way) => [{ ...way, gaps: 0, stuck: 0 }, way]) },
  )
})

test('it lets as many pass as the map can hold, not just as many as there are bits', () => {
  const way: Way = { concurrency: 10, stuck: 0.001, gaps: 0, gapLength: 1, seed: 7 }
  const { taken } = fill(new MapBudget(), new Tracker(0), way, 100_000)
  expect(taken).toBe(100_000)
})

test('a map that is refused at every turn makes the budget smaller once', () => {
  const budget = new MapBudget()
  for (let turn = 0; turn < 100; turn++) budget.refused(2_000)
  expect(budget.maxLength).toBe(1_000)
})
