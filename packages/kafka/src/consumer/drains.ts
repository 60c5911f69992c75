import type { Clock } from '@sluice/flow'
import type { AssignedPartition } from './partition.ts'

interface Drain {
  readonly left: Set<AssignedPartition>
  readonly done: () => void
}

/** Those that wait for the running handlers of partitions to end. A partition may be waited for more than once. */
export class Drains {
  readonly #clock: Clock
  readonly #drains = new Set<Drain>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when none of them runs any more, or after `timeoutMs`. */
  wait(partitions: readonly AssignedPartition[], timeoutMs: number): Promise<void> {
    const left = new Set(partitions.filter(({ lane }) => lane?.status === 'running'))
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

  /** The partition has no slot any more. */
  freed(partition: AssignedPartition): void {
    for (const { left, done } of this.#drains) {
      if (left.delete(partition) && left.size === 0) done()
    }
  }
}
