import type { Clock } from '@sluice/flow'

/** Monotonic time in whole milliseconds, rounded up, with one look at the clock for all calls of one turn. */
export class BurstClock {
  readonly #clock: Clock
  #nowMs = 0
  readonly #endBurst = (): void => {
    this.#nowMs = 0
  }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  nowMs(): number {
    if (this.#nowMs === 0) {
      this.#nowMs = Math.ceil(this.#clock.monotonicMs())
      queueMicrotask(this.#endBurst)
    }
    return this.#nowMs
  }
}
