import type { Clock } from '@sluice/flow'
import type { AssignedPartition } from '../partition.ts'

interface Drain {
  readonly left: Set<AssignedPartition>
  readonly done: () => void
}

/** Those that wait for what runs of partitions to end. A partition may be waited for more than once. */
export class Drains {
  readonly #clock: Clock
  readonly #isBusy: (partition: AssignedPartition) => boolean
  readonly #drains = new Set<Drain>()

  constructor(clock: Clock, isBusy: (partition: AssignedPartition) => boolean) {
    this.#clock = clock
    this.#isBusy = isBusy
  }

  /** Resolves when nothing of them runs any more, or after `timeoutMs`. */
  wait(partitions: readonly AssignedPartition[], timeoutMs: number): Promise<void> {
    const left = new Set(partitions.filter(this.#isBusy))
    if (left.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel()
        this.#drains.delete(drain)
        resolve()
      }
      const drain = { left, done }
      const timer = this.#clock.setTimeout(done, timeoutMs)
      this.#drains.add(drain)
    })
  }

  /** Something of the partition has ended. */
  ended(partition: AssignedPartition): void {
    if (this.#drains.size === 0 || this.#isBusy(partition)) return
    for (const { left, done } of this.#drains) {
      if (left.delete(partition) && left.size === 0) done()
    }
  }
}
