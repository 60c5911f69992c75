import { type Clock } from '@sluice/flow'
import { endsWithin } from './async/within.ts'

/**
 * One deadline for work that is done in stages, such as closing. All stages share it, so their times do not add up. A
 * stage that has to be tried even when the time is used up gets a grace period. It counts from the deadline too, and not
 * from the beginning of the stage.
 */
export class TimeLimit {
  readonly #clock: Clock
  readonly #dueMs: number

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#dueMs = clock.monotonicMs() + timeoutMs
  }

  /** What is left, at least 0. */
  leftMs(graceMs = 0): number {
    return Math.max(0, this.#dueMs + graceMs - this.#clock.monotonicMs())
  }

  /** Whether the work ended in time; else it continues unobserved. Rejects as the work does, while waiting. */
  async allows(work: Promise<unknown>, graceMs = 0): Promise<boolean> {
    return await endsWithin(this.#clock, work, this.leftMs(graceMs))
  }
}

/**
 * How long after its deadline a close may still report what is finished, in milliseconds from the deadline. A healthy
 * cluster answers within some milliseconds; a silent one is not waited for.
 */
export const closeGraceMs = Object.freeze({
  /** Handlers have been aborted, and may end. */
  abort: 100,
  /** What they finished is committed. */
  commit: 200,
  /** The member has left the group. */
  leave: 250,
  /** Producers of the same `Kafka` send what handlers gave them at the end. */
  producers: 300,
  /** Connections are closed. */
  connections: 300,
})
