import type { Clock } from '@sluice/flow'

/** How long handlers may hold the event loop before sockets and timers have their turn. */
const turnMs = 4
/**
 * Calls in a row between two looks at the clock, once those before them were short. A look costs some 50 ns, a tenth of
 * what a record costs otherwise; but should calls become slow all at once, the loop stands still for as many of them.
 */
const maxCallsUntimed = 4

/** How long the present turn of the event loop has lasted, without a look at the clock for each call. */
export class LoopTurn {
  readonly #clock: Clock
  #startedAtMs = 0
  #calls = 0
  #lookAt = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  begin(): void {
    this.#startedAtMs = this.#clock.monotonicMs()
    this.#calls = 0
    this.#lookAt = 1
  }

  isOver(): boolean {
    return this.#clock.monotonicMs() - this.#startedAtMs >= turnMs
  }

  /** Call after every synchronous handler. */
  isOverAfterCall(): boolean {
    if (++this.#calls < this.#lookAt) return false
    this.#lookAt += Math.min(this.#calls, maxCallsUntimed)
    return this.isOver()
  }
}
