import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeOffsetMap, encodeOffsetMap } from './offset-map.ts'
import { Tracker } from './tracker.ts'

/*
 * A simulated scheduler over one partition: records are taken and finished in any order, commits are sent and arrive
 * late or never, owners crash or hand over, and the next one begins at what was committed. Whatever the interleaving,
 * nothing is committed that was not finished, and nothing is left out in the end.
 */

const topicId = 'topic'
const logEnd = 40

type Step =
  | { readonly kind: 'take' }
  | { readonly kind: 'finish'; readonly pick: number }
  | { readonly kind: 'send commit' }
  | { readonly kind: 'commit arrives' }
  | { readonly kind: 'crash' }
  | { readonly kind: 'hand over' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: 'take' as const }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('finish' as const), pick: fc.nat(50) }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'send commit' as const }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'commit arrives' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'hand over' as const }) },
)

interface Commit {
  readonly offset: number
  readonly metadata: string
}

class Partition {
  committed: Commit = { offset: 0, metadata: '' }
  readonly finished = new Set<number>()
  tracker = new Tracker(0)
  /** Out with the present owner: where their offsets start, and the record. */
  out: { readonly start: number; readonly end: number; readonly offset: number }[] = []
  sent: Commit | undefined
  next = 0

  run({ kind, ...rest }: Step): void {
    if (kind === 'take') this.take()
    else if (kind === 'finish') this.finish((rest as { pick: number }).pick)
    else if (kind === 'send commit') this.sent ??= this.position()
    else if (kind === 'commit arrives') this.arrive()
    else if (kind === 'crash') this.begin()
    else {
      this.sent = this.position()
      this.arrive()
      this.begin()
    }
  }

  /** As the log does it: finished ones are passed over, and every third offset holds no record. */
  take(): void {
    while (this.next < logEnd) {
      const offset = this.next++
      if (offset % 3 === 2 || offset < this.tracker.taken) continue
      const end = offset + 1
      if (this.tracker.wasFinished(offset)) {
        this.tracker.finish(this.tracker.take(end), end)
        continue
      }
      this.out.push({ start: this.tracker.take(end), end, offset })
      return
    }
  }

  finish(pick: number): void {
    const [one] = this.out.splice(pick % Math.max(1, this.out.length), 1)
    if (one === undefined) return
    this.finished.add(one.offset)
    this.tracker.finish(one.start, one.end)
  }

  position(): Commit {
    const base = this.tracker.position
    return {
      offset: base,
      metadata: encodeOffsetMap({ base, topicId, leaderEpoch: 0, ranges: this.tracker.rangesAhead() }),
    }
  }

  arrive(): void {
    if (this.sent) this.committed = this.sent
    this.sent = undefined
  }

  begin(): void {
    const { offset, metadata } = this.committed
    this.sent = undefined
    this.out = []
    this.next = offset
    this.tracker = new Tracker(offset, decodeOffsetMap(metadata)?.ranges)
  }

  /** What a commit says to be finished. */
  said({ offset, metadata }: Commit): number[] {
    const below = Array.from({ length: offset }, (_, one) => one)
    const ranges = decodeOffsetMap(metadata)?.ranges ?? []
    const ahead = ranges.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, index) => start + index))
    return [...below, ...ahead].filter((one) => one % 3 !== 2)
  }
}

test('no commit says more than is finished or less than the one before, what it says is not handled again, and all is handled in the end', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 160 }), (steps) => {
      const partition = new Partition()
      for (const one of steps) {
        const before = partition.said(partition.committed)
        partition.run(one)
        const said = partition.said(partition.committed)
        expect(said.filter((offset) => !partition.finished.has(offset))).toEqual([])
        expect(before.filter((offset) => !said.includes(offset))).toEqual([])
        expect(before.filter((offset) => partition.out.some((out) => out.offset === offset))).toEqual([])
      }
      while (partition.next < logEnd || partition.out.length > 0) {
        partition.take()
        partition.finish(0)
      }
      expect(partition.finished.size).toBe(Math.ceil((logEnd * 2) / 3))
      expect(partition.tracker.position).toBe(partition.tracker.taken)
      expect(partition.tracker.rangesAhead()).toEqual([])
    }),
    { numRuns: Number(process.env['SLUICE_LONG_RUNS'] ?? 150) },
  )
})
