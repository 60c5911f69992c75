import { BackpressureError } from '../errors.ts'
import type { BackpressureReason, ErrorFacts } from '../errors.ts'
import { requireNumber } from '../require.ts'
import type { Priority } from './priority.ts'

/** How long an item waits for room in a full queue, by priority. */
export interface OverflowOptions {
  /**
   * How long a high item waits for room where it can evict nobody. From 0; Infinity: as long as it takes. Default
   * 120,000 (a delivery timeout).
   */
  readonly highWaitMs?: number
  /**
   * How long a medium item waits for room. From 0; Infinity: as long as it takes. Default 1,000. A low one never waits.
   */
  readonly mediumWaitMs?: number
}

/** What becomes of an item that finds the queue full, by its priority. */
export interface OverflowRule {
  /** Takes the place of the oldest item of the lowest class below its own. */
  readonly evicts: boolean
  /** 0: refused at once. */
  readonly waitMs: number
  /** Why it was refused, when it was. */
  readonly reason: BackpressureReason
}

export type OverflowRules = Readonly<Record<Priority, OverflowRule>>

/** High evicts, else waits long; medium waits a moment; low is refused at once. */
export function overflowRules({ highWaitMs = 120_000, mediumWaitMs = 1_000 }: OverflowOptions): OverflowRules {
  requireNumber('highWaitMs', highWaitMs, { min: 0, max: Infinity })
  requireNumber('mediumWaitMs', mediumWaitMs, { min: 0, max: Infinity })
  return {
    high: { evicts: true, waitMs: highWaitMs, reason: 'timeout_drop' },
    medium: { evicts: false, waitMs: mediumWaitMs, reason: 'timeout_drop' },
    low: { evicts: false, waitMs: 0, reason: 'low_priority_drop' },
  }
}

/** Counts by reason what was shed or refused, and makes the error that tells so. */
export class ShedAccount {
  readonly #counts: Record<BackpressureReason, number> = {
    old_message_dropped: 0,
    timeout_drop: 0,
    low_priority_drop: 0,
    waiting_full: 0,
  }

  error(reason: BackpressureReason, message: string, facts: ErrorFacts): BackpressureError {
    this.#counts[reason]++
    return new BackpressureError(reason, message, facts)
  }

  counts(): Readonly<Record<BackpressureReason, number>> {
    return { ...this.#counts }
  }
}
