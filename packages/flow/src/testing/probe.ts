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
  /** When each element was given, of every opening. */
  readonly givenAtMs: number[] = []
  opened = 0
  closed = 0
  isEnded = false
  /** Openings that have neither ended nor failed nor been closed. */
  open = 0
  #busy = 0
  maxBusy = 0

  constructor(options: ProbeOptions) {
    this.#options = options
  }

  get given(): number {
    return this.givenAtMs.length
  }

  [Symbol.asyncIterator](): AsyncIterator<number, undefined> {
    this.opened++
    this.open++
    let index = 0
    let isOpen = true
    const leave = (): void => {
      if (isOpen) this.open--
      isOpen = false
    }
    return {
      next: async () => {
        this.maxBusy = Math.max(this.maxBusy, ++this.#busy)
        try {
          const { clock, count, delaysMs = [], failAt } = this.#options
          const delayMs = delaysMs[index % Math.max(1, delaysMs.length)] ?? 0
          if (delayMs > 0) await clock.sleep(delayMs)
          const isOver = index >= count
          if (index === failAt || isOver) {
            this.isEnded = true
            leave()
          }
          if (index === failAt) throw new Error('source')
          if (isOver) return { done: true, value: undefined }
          this.givenAtMs.push(clock.monotonicMs())
          return { done: false, value: index++ }
        } finally {
          this.#busy--
        }
      },
      return: async () => {
        leave()
        this.closed++
        return { done: true, value: undefined }
      },
    }
  }
}
