import type { BreakerTransition } from '@sluice/flow'
import type { DeadLettersEvent } from './dead-letters/dead-letters.ts'
import type { QueueState } from './producer-state.ts'
import type { ProducerActivity } from './send/activity.ts'

/** What a producer emits while it runs. What becomes of a record, the promise of `send` tells. */
export type ProducerEvents = {
  /** The queue has reached its high watermark. */
  throttled: QueueState
  /** The queue is back at its low watermark. */
  released: QueueState
  /** The breaker has opened, half-opened or closed. */
  breaker: BreakerTransition
  /** Records failed for good, and it is settled where their dead letters are. */
  deadLetters: DeadLettersEvent
  /** Something failed that is tried again; the records wait meanwhile, for `deliveryTimeoutMs` at most. */
  error: { readonly during: ProducerActivity; readonly error: Error }
}
