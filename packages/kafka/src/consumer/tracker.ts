import { InvariantError } from '@sluice/flow'

/**
 * Which offsets of one partition are finished, and so how far it may be committed. Offsets are handed out as adjoining
 * ranges: one record and the gap before it (control records, aborted ones, what compaction took away). Ranges may be
 * finished in any order; the position is the end of the finished ones without a hole.
 */
export class Tracker {
  #position: number
  #taken: number
  /** Finished ranges beyond a hole: end by start. */
  readonly #ahead = new Map<number, number>()

  constructor(position: number) {
    this.#position = position
    this.#taken = position
  }

  /** The next offset to commit: everything below is finished. */
  get position(): number {
    return this.#position
  }

  /** Where the next range starts: everything below was handed out. */
  get taken(): number {
    return this.#taken
  }

  /** Finished ranges that wait for one before them. */
  get finishedAhead(): number {
    return this.#ahead.size
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

  /** Finishes one or several ranges in a row that were handed out. */
  finish(start: number, end: number): void {
    if (start !== this.#position) {
      this.#keepAhead(start, end)
      return
    }
    this.#position = end
    for (let next = this.#ahead.get(end); next !== undefined; next = this.#ahead.get(next)) {
      this.#ahead.delete(this.#position)
      this.#position = next
    }
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
    this.#ahead.set(start, end)
  }
}
