import { Ring } from '@sluice/flow/internal'

interface Reading {
  readonly atMs: number
  readonly total: number
}

const windowMs = 30_000

/** How fast a total grows, a second, over the last 30 s or since the reading before where that is longer ago. */
export class WindowedRate {
  readonly #readings = new Ring<Reading>()

  constructor(nowMs: number, total = 0) {
    this.#readings.push({ atMs: nowMs, total })
  }

  /** To be called whenever somebody asks. */
  read(nowMs: number, total: number): number {
    while (this.#readings.length > 1 && this.#readings.at(1)!.atMs <= nowMs - windowMs) this.#readings.shift()
    const oldest = this.#readings.peek()!
    // Whoever asks all the time needs no more readings than these.
    const newest = this.#readings.at(this.#readings.length - 1)!
    if (nowMs - newest.atMs >= windowMs / 30) this.#readings.push({ atMs: nowMs, total })
    return nowMs > oldest.atMs ? ((total - oldest.total) * 1_000) / (nowMs - oldest.atMs) : 0
  }
}
