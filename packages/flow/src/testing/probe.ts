import type { ManualClock } from '../index.ts'

export interface ProbeOptions {
  readonly clock: ManualClock
  readonly count: number
  /** Before element i: delaysMs[i % length]. Default: none. */
  readonly delaysMs?: readonly number[]
  /** Fails in place of this element. */
  readonly failAt?: number | undefined
}

/** A source that notes what is done to it: the numbers from 0 on. */
export class Probe implements AsyncIterable<number> {
  readonly #options: ProbeOptions
  given = 0
  opened = 0
  closed = 0
  isEnded = false
  #busy = 0
  maxBusy = 0

  constructor(options: ProbeOptions) {
    this.#options = options
  }

  [Symbol.asyncIterator](): AsyncIterator<number, undefined> {
    this.opened++
    let index = 0
    return {
      next: async () => {
        this.maxBusy = Math.max(this.maxBusy, ++this.#busy)
        try {
          const { clock, count, delaysMs = [], failAt } = this.#options
          const delayMs = delaysMs[index % Math.max(1, delaysMs.length)] ?? 0
          if (delayMs > 0) await clock.sleep(delayMs)
          const isOver = index >= count
          if (index === failAt || isOver) this.isEnded = true
          if (index === failAt) throw new Error('source')
          if (isOver) return { done: true, value: undefined }
          this.given++
          return { done: false, value: index++ }
        } finally {
          this.#busy--
        }
      },
      return: async () => {
        this.closed++
        return { done: true, value: undefined }
      },
    }
  }
}
