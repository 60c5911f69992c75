import { ClosedError } from '@sluice/flow'
import { classify, errorCode, isKnown } from '../../driver/classify.ts'
import { AuthenticationError, ConnectionError, TokenError, UnsupportedBrokerError } from '../../errors.ts'

/** What an answer of the broker means for a batch. */
export type Verdict =
  | 'delivered'
  /** Send the same bytes again. */
  | 'retry'
  /** Certainly not in the log, and the broker expects another sequence: seal it again under the next epoch. */
  | 'reseal'
  /** Certainly not in the log, because it is too large: send it in two. */
  | 'split'
  /** Certainly not in the log, because some of its records are invalid: send the others without them. */
  | 'isolate'
  /** Send it no more. */
  | 'give_up'

export interface BatchAttempt {
  readonly errorCode: number
  /** What the broker says beside an error: 0 or more once its own log has the batch. */
  readonly baseOffset: number
  readonly records: number
  /** Records that the answer names as the invalid ones. */
  readonly namedRecords: number
  /** Attempts so far, this one included. */
  readonly attempts: number
  /** Already before this attempt. */
  readonly mayBeInLog: boolean
}

const codes = (...names: string[]): ReadonlySet<number> => new Set(names.map(errorCode))

const delivered = codes('NONE', 'DUPLICATE_SEQUENCE_NUMBER')
const tooLarge = codes('MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE')
/** What a broker answers where the content of a record is not allowed. */
const invalidRecords = codes('INVALID_RECORD', 'INVALID_TIMESTAMP')
const sequenceLost = codes('OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH')
/** Errors that a broker can also give after it has appended the batch. */
const afterAppend = codes(
  'UNKNOWN_SERVER_ERROR',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'KAFKA_STORAGE_ERROR',
)

/**
 * Whether the batch can be in the log although the broker reported an error. A leader that is deposed while it waits
 * for its replicas answers NOT_LEADER_OR_FOLLOWER with the offset that its own log gave, and its successor may have it.
 * A newer broker may give a code that the table does not know, and may give it after the append.
 */
export function leavesDoubt({ errorCode, baseOffset }: Pick<BatchAttempt, 'errorCode' | 'baseOffset'>): boolean {
  if (delivered.has(errorCode)) return false
  return afterAppend.has(errorCode) || baseOffset >= 0 || !isKnown(errorCode)
}

/** Whether the content of a record is why a broker refused its batch. */
export function blamesRecords(errorCode: number): boolean {
  return invalidRecords.has(errorCode) || tooLarge.has(errorCode)
}

/** Whether a broker can have got a request that failed as a whole. */
export function mayHaveArrived(error: unknown): boolean {
  if (error instanceof ConnectionError) return error.requestSent
  return !(
    error instanceof ClosedError ||
    error instanceof AuthenticationError ||
    error instanceof TokenError ||
    error instanceof UnsupportedBrokerError
  )
}

/** `retries`: how many attempts may follow the first. */
export function judge(attempt: BatchAttempt, { retries }: { readonly retries: number }): Verdict {
  const { errorCode, records, attempts } = attempt
  if (delivered.has(errorCode)) return 'delivered'
  const inDoubt = attempt.mayBeInLog || leavesDoubt(attempt)
  if (tooLarge.has(errorCode)) return records > 1 && !inDoubt ? 'split' : 'give_up'
  if (invalidRecords.has(errorCode) || attempt.namedRecords > 0) return records > 1 && !inDoubt ? 'isolate' : 'give_up'
  if (attempts > retries) return 'give_up'
  if (sequenceLost.has(errorCode)) return inDoubt ? 'give_up' : 'reseal'
  return classify(errorCode).retriable ? 'retry' : 'give_up'
}
