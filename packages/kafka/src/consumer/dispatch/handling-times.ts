/** How many of the last calls the mean is of, as in document 2's window. */
const recentCalls = 100

/** How long handlers take, by the last hundred calls that were waited for. */
export class HandlingTimes {
  readonly #recentMs = new Float64Array(recentCalls)
  #count = 0
  #next = 0
  #sumMs = 0

  record(ms: number): void {
    this.#sumMs += ms - this.#recentMs[this.#next]!
    this.#recentMs[this.#next] = ms
    if (this.#count < recentCalls) this.#count++
    if (++this.#next < recentCalls) return
    this.#next = 0
    // Made anew with every round, or it would drift.
    this.#sumMs = this.#recentMs.reduce((sum, one) => sum + one, 0)
  }

  /** With those that run already longer than the mean: where nothing ends any more, that says it. 0: nothing known. */
  meanMs(runningMs: Iterable<number> = []): number {
    let count = this.#count
    let sumMs = this.#sumMs
    const recentMs = count === 0 ? 0 : sumMs / count
    for (const ms of runningMs) {
      if (ms <= recentMs) continue
      count++
      sumMs += ms
    }
    return count === 0 ? 0 : sumMs / count
  }
}
