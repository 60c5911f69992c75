import { expect, test } from 'vitest'
import { decodeOffsetMap, encodeOffsetMap } from './commit/offset-map.ts'
import { Tracker } from './commit/tracker.ts'

/*
 * A simulated scheduler over one partition: records are taken and finished in any order, commits are sent, arrive late
 * or never, and so do their answers; owners crash, hand over after a drain or without one, and the next one begins at
 * what was committed; a topic is deleted and created again. Whatever the interleaving, nothing is committed that was not
 * finished, nothing that was committed is handled again, and nothing is left out in the end.
 *
 * `npm run chaos -- watermark --seed N` runs a million of them.
 */

/** Few enough for a bit each. */
const logEnd = 24
const isRecord = (offset: number): boolean => offset % 3 !== 2
const steps = 60

interface Commit {
  readonly topicId: number
  readonly offset: number
  readonly metadata: string
}

interface Out {
  readonly start: number
  readonly end: number
  readonly offset: number
}

class Partition {
  readonly random: () => number
  topicId = 1
  committed: Commit = { topicId: 1, offset: 0, metadata: '' }
  /** By bit: what was finished of the topic as it is now. */
  finished = 0
  tracker = new Tracker(0)
  /** Out with the present owner. */
  out: Out[] = []
  /** What the present owner has sent and not heard of; it sends no other meanwhile. */
  sent: Commit | undefined
  isDraining = false
  next = 0
  /** What the present owner was told to be finished, and whether it began some of that all the same. */
  saidAtBegin = 0
  isAgain = false
  #saidBy: Commit | undefined
  #said = 0

  constructor(random: () => number) {
    this.random = random
  }

  step(): void {
    const which = this.random()
    if (which < 0.32) this.take()
    else if (which < 0.64) this.finish()
    else if (which < 0.78) this.sent ??= this.position()
    else if (which < 0.9) this.arrive()
    else if (which < 0.92) this.sent = undefined
    else if (which < 0.94) this.isDraining = true
    else if (which < 0.96) this.begin()
    else if (which < 0.98) this.handOver()
    else if (which > 0.995) this.recreate()
  }

  /** As the log does it: finished ones are passed over, and every third offset holds no record. */
  take(): void {
    while (this.next < logEnd && !this.isDraining) {
      const offset = this.next++
      if (!isRecord(offset) || offset < this.tracker.taken) continue
      const end = offset + 1
      if (!this.tracker.wasFinished(offset)) {
        this.isAgain ||= (this.saidAtBegin & (1 << offset)) !== 0
        this.out.push({ start: this.tracker.take(end), end, offset })
        return
      }
      this.tracker.finish(this.tracker.take(end), end)
    }
  }

  finish(): void {
    const [one] = this.out.splice(Math.floor(this.random() * this.out.length), 1)
    if (one === undefined) return
    this.finished |= 1 << one.offset
    this.tracker.finish(one.start, one.end)
  }

  position(): Commit {
    const base = this.tracker.position
    const { topicId } = this
    const map = { base, topicId: String(topicId), leaderEpoch: 0, ranges: this.tracker.rangesAhead() }
    return { topicId, offset: base, metadata: encodeOffsetMap(map) }
  }

  /** The broker takes it; whether the owner hears of it changes nothing but when it sends the next. */
  arrive(): void {
    if (this.sent) this.committed = this.sent
    if (this.random() < 0.8) this.sent = undefined
  }

  handOver(): void {
    while (this.isDraining && this.out.length > 0) this.finish()
    this.sent = this.position()
    this.arrive()
    this.begin()
  }

  /** The next owner: what the former one has out may still end, but it is heard of no more. */
  begin(): void {
    const { offset, metadata, topicId } = this.committed
    const map = decodeOffsetMap(metadata)
    const isOfThisLog = map !== undefined && map.base === offset && map.topicId === String(this.topicId)
    // The offset of a topic that is gone is out of the new one's range: a reset.
    const from = topicId === this.topicId ? offset : 0
    this.sent = undefined
    this.isDraining = false
    this.saidAtBegin = this.said
    this.out = []
    this.next = from
    this.tracker = new Tracker(from, isOfThisLog ? map.ranges : [])
  }

  recreate(): void {
    this.topicId++
    this.finished = 0
    this.begin()
  }

  /** By bit: what the commit says to be finished. */
  get said(): number {
    const { topicId, offset, metadata } = this.committed
    if (topicId !== this.topicId) return 0
    if (this.#saidBy === this.committed) return this.#said
    let bits = 0
    for (let one = 0; one < offset; one++) if (isRecord(one)) bits |= 1 << one
    for (const { start, end } of decodeOffsetMap(metadata)?.ranges ?? []) {
      for (let one = start; one < end; one++) if (isRecord(one)) bits |= 1 << one
    }
    this.#saidBy = this.committed
    return (this.#said = bits)
  }
}

/** What one history does wrong; undefined: nothing. */
function fault(random: () => number): string | undefined {
  const partition = new Partition(random)
  let before = 0
  let topicId = 1
  for (let step = 0; step < steps; step++) {
    partition.step()
    if (partition.topicId !== topicId) [topicId, before] = [partition.topicId, 0]
    const { said } = partition
    if ((said & ~partition.finished) !== 0) return 'a commit says more than is finished'
    if ((before & ~said) !== 0) return 'a commit says less than the one before'
    if (partition.isAgain) return 'what was committed is handled again'
    before = said
  }
  partition.isDraining = false
  while (partition.next < logEnd || partition.out.length > 0) {
    partition.take()
    partition.finish()
  }
  for (let offset = 0; offset < logEnd; offset++) {
    if (isRecord(offset) && (partition.finished & (1 << offset)) === 0) return `offset ${offset} was left out`
  }
  const { tracker } = partition
  return tracker.position === tracker.taken && tracker.finishedAhead === 0 ? undefined : 'it does not come to rest'
}

/** mulberry32 by Tommy Ettinger. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const interleavings = Number(process.env['SLUICE_INTERLEAVINGS'] ?? 5_000)
const firstSeed = Number(process.env['SLUICE_SEED'] ?? 1)

test('no commit says more than is finished or less than the one before, what it says is not handled again, and all is handled in the end', () => {
  const faults: string[] = []
  for (let run = 0; run < interleavings && faults.length < 10; run++) {
    const seed = firstSeed + run
    const found = fault(seeded(seed))
    if (found !== undefined) faults.push(`seed ${seed}: ${found}`)
  }
  expect(faults).toEqual([])
}, 3_600_000)
