import { SluiceError } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import type { Refusal } from './refusal.ts'

/** A dead letter that its topic does not take. */
export interface RefusedLetter {
  /** Where it should have gone: a topic of dead letters, or of retries. */
  readonly to: string
  readonly topic: string
  readonly partition: number
  readonly offset?: number | undefined
  /** What its topic objects to. */
  readonly refusal: Refusal
  /** What to change so that it can be written. */
  readonly advice: string
}

/**
 * A topic of dead letters or of retries does not take a record. Retriable where an operator can mend it meanwhile, such
 * as by granting a right; else it ends the consumer, and the record's offset stays uncommitted.
 */
export class DeadLetterRefusedError extends SluiceError<'dead_letter_refused'> {
  /** Where it should have gone. */
  declare readonly to: string
  /** Where the record is from. */
  declare readonly topic: string
  declare readonly partition: number
  /** What the topic of dead letters objects to. */
  declare readonly refusal: Refusal

  constructor({ to, topic, partition, offset, refusal, advice }: RefusedLetter, cause: unknown) {
    const place = offset === undefined ? `${topic}/${partition}` : `${topic}/${partition} at offset ${offset}`
    super('dead_letter_refused', `${to} does not take the record of ${place}: ${messageOf(cause)} - ${advice}`, {
      retriable: refusal === 'not_allowed',
      cause,
      facts: { to, topic, partition, refusal },
    })
  }
}
