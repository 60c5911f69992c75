import type { Clock } from '@sluice/flow'

/** Wakes one waiting loop. A notification that finds nobody waiting is kept for the next `wait`. */
export class Signal {
  readonly #clock: Clock
  #notified = false
  #wake: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  notify(): void {
    if (this.#wake) this.#wake()
    else this.#notified = true
  }

  /** Resolves at the next notification or after `timeoutMs`. One waiter at a time. */
  wait(timeoutMs = Infinity): Promise<void> {
    if (this.#notified) {
      this.#notified = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const wake = (): void => {
        timer?.cancel()
        this.#wake = undefined
        resolve()
      }
      const timer = timeoutMs === Infinity ? undefined : this.#clock.setTimeout(wake, timeoutMs)
      this.#wake = wake
    })
  }
}
