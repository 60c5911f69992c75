import { type Clock, type Priority } from '@sluice/flow'
import { Ring, priorities } from '@sluice/flow/internal'
import type { AssignedPartition } from '../partition.ts'

/** A partition of a less important topic that has waited this long goes before all that came after it. */
const ageingMs = 30_000

/** Partitions that wait for their turn: those of important topics first, among equals who came first. */
export class ReadyLine {
  readonly #clock: Clock
  readonly #rings: Readonly<Record<Priority, Ring<AssignedPartition>>> = {
    high: new Ring(),
    medium: new Ring(),
    low: new Ring(),
  }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get length(): number {
    return this.#rings.high.length + this.#rings.medium.length + this.#rings.low.length
  }

  get high(): number {
    return this.#rings.high.length
  }

  push(partition: AssignedPartition): void {
    partition.work.readySinceMs = this.#clock.monotonicMs()
    this.#rings[partition.priority].push(partition)
  }

  /** The next one; it stays where it is. `favoursHigh`: a high one goes first, whatever has waited how long. */
  peek(favoursHigh: boolean): AssignedPartition | undefined {
    const { high, medium, low } = this.#rings
    if (high.length + low.length === 0 || (favoursHigh && high.length > 0)) return high.peek() ?? medium.peek()
    const agedIfSinceMs = this.#clock.monotonicMs() - ageingMs
    let next: AssignedPartition | undefined
    for (const priority of priorities) {
      const one = this.#rings[priority].peek()
      if (one === undefined) continue
      const sinceMs = one.work.readySinceMs
      if (next === undefined || (sinceMs <= agedIfSinceMs && sinceMs < next.work.readySinceMs)) next = one
    }
    return next
  }

  /** Takes out the first of its importance, which is the one that `peek` gave. */
  shift({ priority }: AssignedPartition): void {
    this.#rings[priority].shift()
  }

  clear(): void {
    for (const priority of priorities) this.#rings[priority].clear()
  }
}
