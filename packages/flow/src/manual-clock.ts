import { sleepOn } from './clock.ts'
import type { Clock, Timer } from './clock.ts'
import { requireNumber } from './require.ts'

interface Entry extends Timer {
  readonly dueMs: number
  readonly run: () => void
}

/** A clock that stands still until a test moves it. Timers run in the order in which they are due. */
export class ManualClock implements Clock {
  /** Sorted by due time, the next one last; equal ones in the order they were set. */
  readonly #timers: Entry[] = []
  #monotonicMs = 0
  #wallOffsetMs: number

  constructor({ startMs = 0 }: { readonly startMs?: number } = {}) {
    this.#wallOffsetMs = requireNumber('startMs', startMs)
  }

  /** Milliseconds since the epoch, as set. */
  now(): number {
    return this.#wallOffsetMs + this.#monotonicMs
  }

  /** Milliseconds that only `advance` moves. */
  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** Timers that were set and neither ran nor were cancelled. */
  get pending(): number {
    return this.#timers.length
  }

  /** When the next timer is due, in monotonic milliseconds; undefined where none is set. */
  get nextDueMs(): number | undefined {
    return this.#timers.at(-1)?.dueMs
  }

  /** Moves the wall clock alone, as a correction of the machine's time does. */
  shiftWall(byMs: number): void {
    this.#wallOffsetMs += requireNumber('byMs', byMs)
  }

  /** Runs when the clock has been moved that far. */
  setTimeout(run: () => void, delayMs: number): Timer {
    const dueMs = this.#monotonicMs + requireNumber('delayMs', delayMs, { min: 0, max: Infinity })
    const entry: Entry = { dueMs, run, cancel: () => this.#remove(entry) }
    if (dueMs !== Infinity) this.#timers.splice(this.#positionOf(dueMs), 0, entry)
    return entry
  }

  /** Resolves when the clock has been moved that far. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal)
  }

  /** Moves time and runs what comes due on the way, without letting promises settle in between. */
  advance(byMs: number): void {
    const untilMs = this.#monotonicMs + requireNumber('byMs', byMs, { min: 0 })
    while (this.#runNext(untilMs));
    this.#monotonicMs = untilMs
  }

  /** Moves time and lets everything that was woken run to its next wait before time goes on. */
  async advanceAsync(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + requireNumber('byMs', byMs, { min: 0 })
    do await loopTurn()
    while (this.#runNext(untilMs))
    this.#monotonicMs = untilMs
  }

  #runNext(untilMs: number): boolean {
    const next = this.#timers.at(-1)
    if (next === undefined || next.dueMs > untilMs) return false
    this.#timers.pop()
    this.#monotonicMs = next.dueMs
    next.run()
    return true
  }

  #remove(entry: Entry): void {
    const index = this.#timers.lastIndexOf(entry)
    if (index >= 0) this.#timers.splice(index, 1)
  }

  /** Where a new timer goes: before all that are due at the same time or earlier. */
  #positionOf(dueMs: number): number {
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#timers[middle]!.dueMs > dueMs) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** One turn of the event loop: every promise that can settle has settled. */
function loopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
