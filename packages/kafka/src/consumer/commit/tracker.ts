import { InvariantError } from '@sluice/flow'

/** Offsets from `start` up to `end`, excluding it. */
export interface OffsetRange {
  readonly start: number
  readonly end: number
}

/**
 * Which offsets of one partition are finished, and so how far it may be committed. Offsets are handed out as adjoining
 * ranges: one record and the gap before it (control records, aborted ones, what compaction took away). Ranges may be
 * finished in any order; the position is the end of the finished ones without a hole.
 */
export class Tracker {
  #position: number
  #taken: number
  /** What is finished beyond a hole, ranges that touch as one: their ends by their starts, and the other way round. */
  readonly #ahead = new Map<number, number>()
  readonly #aheadByEnd = new Map<number, number>()
  /** Finished before this assignment, in rising order; those below `#taken` are of no more use. */
  readonly #before: readonly OffsetRange[]
  #beforeIndex = 0
  #revision = 0

  /** `finished`: what an offset map tells of beyond the position, in rising order. */
  constructor(position: number, finished: readonly OffsetRange[] = []) {
    this.#position = position
    this.#taken = position
    this.#before = finished
  }

  /** The next offset to commit: everything below is finished. */
  get position(): number {
    return this.#position
  }

  /** Where the next range starts: everything below was handed out. */
  get taken(): number {
    return this.#taken
  }

  /** Changes with everything that is finished. */
  get revision(): number {
    return this.#revision
  }

  /** Finished ranges that wait for one before them; those that touch are one. */
  get finishedAhead(): number {
    return this.#ahead.size
  }

  /** How many offsets an offset map would span. */
  get span(): number {
    return Math.max(this.#taken, this.#before.at(-1)?.end ?? 0) - this.#position
  }

  get idle(): boolean {
    return this.#position === this.#taken
  }

  /** Hands out everything up to `end`, excluding it; returns where that range starts. */
  take(end: number): number {
    const start = this.#taken
    if (end <= start) throw new InvariantError('Offsets must be handed out in rising order', { start, end })
    this.#taken = end
    return start
  }

  /** Whether an offset that was not handed out yet was finished before. To be asked in rising order. */
  wasFinished(offset: number): boolean {
    if (this.#beforeIndex === this.#before.length) return false
    while (offset >= (this.#before[this.#beforeIndex]?.end ?? Infinity)) this.#beforeIndex++
    return offset >= (this.#before[this.#beforeIndex]?.start ?? Infinity)
  }

  /** Finishes one or several ranges in a row that were handed out. */
  finish(start: number, end: number): void {
    this.#revision++
    if (start !== this.#position) {
      this.#keepAhead(start, end)
      return
    }
    const next = this.#ahead.size === 0 ? undefined : this.#ahead.get(end)
    if (next !== undefined) this.#forget(end, next)
    this.#position = next ?? end
  }

  /** What is finished beyond the position, in rising order, ranges that touch as one. */
  rangesAhead(): OffsetRange[] {
    const own = Array.from(this.#ahead, ([start, end]) => ({ start, end })).toSorted((a, b) => a.start - b.start)
    // What was handed out of them meanwhile was finished at once, and is among our own.
    const before = this.#before.flatMap(({ start, end }) =>
      end > this.#taken ? { start: Math.max(start, this.#taken), end } : [],
    )
    const merged: { start: number; end: number }[] = []
    for (const { start, end } of [...own, ...before]) {
      const last = merged.at(-1)
      if (last?.end === start) last.end = end
      else merged.push({ start, end })
    }
    return merged
  }

  #keepAhead(start: number, end: number): void {
    if (start < this.#position || end > this.#taken || this.#ahead.has(start)) {
      throw new InvariantError('A range was finished that is not in flight', {
        start,
        end,
        position: this.#position,
        taken: this.#taken,
      })
    }
    const from = this.#aheadByEnd.get(start)
    const to = this.#ahead.get(end)
    if (from !== undefined) this.#forget(from, start)
    if (to !== undefined) this.#forget(end, to)
    this.#ahead.set(from ?? start, to ?? end)
    this.#aheadByEnd.set(to ?? end, from ?? start)
  }

  #forget(start: number, end: number): void {
    this.#ahead.delete(start)
    this.#aheadByEnd.delete(end)
  }
}
