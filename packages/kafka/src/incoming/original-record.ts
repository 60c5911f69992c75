import type { DecodedRecord } from '../batch/decoded.ts'

/** What the headers of a record in a retry topic say: where it is from, and when it is to be handled again. */
export interface RetryFacts {
  /** Of the topic it is from: one that was deleted and created again is another. Empty: not known, it was replayed. */
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  /** Of the record itself: milliseconds since the epoch. */
  readonly timestampMs: number
  /** How often it was tried. 0: never, it waits behind an earlier record of its key. */
  readonly attempts: number
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number
}

/** A record that was read from a retry topic, as it was in the topic that it is from. */
export interface OriginalRecord extends DecodedRecord {
  /** What the retry topic says of it; left out where it was read from its own topic. */
  readonly retry?: RetryFacts
}
