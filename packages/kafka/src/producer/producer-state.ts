import type { BackpressureReason, BreakerInspection, GateState } from '@sluice/flow'
import type { DeliveryCounts } from './queue/account.ts'
import type { DeadLettersState } from './dead-letters/dead-letters.ts'
import type { SendStatsState } from './send/send-stats.ts'
import type { SenderState } from './send/sender.ts'

/** What was accepted and is not settled, and its bounds. */
export type QueueState = GateState

/** What `inspect()` of a producer returns. */
export interface ProducerState {
  readonly state: 'open' | 'closing' | 'closed'
  /** What waits and is on its way. */
  readonly queue: QueueState
  readonly records: DeliveryCounts
  /** What was acknowledged and what failed, by topic. */
  readonly sent: SendStatsState
  /** Records that the queue did not take, by reason. */
  readonly shed: Readonly<Record<BackpressureReason, number>>
  /** The connections to brokers. */
  readonly sender: SenderState
  /** Whether brokers are left alone. */
  readonly breaker: BreakerInspection
  /** Undefined: it writes none. */
  readonly deadLetters: DeadLettersState | undefined
  /** In decimal; null: not idempotent. */
  readonly producerId: string | null
}

/** What became of all records that a producer accepted in its life; the last three make up the first. */
export interface CloseReport {
  /** Records that the queue took. */
  readonly accepted: number
  /** Records that were acknowledged. */
  readonly delivered: number
  /** Certainly not in the log. */
  readonly refused: number
  /** Possibly in the log. */
  readonly unknown: number
  /** Of the refused and the unknown ones, those that were given up because the time to close was over. */
  readonly abandoned: number
}
