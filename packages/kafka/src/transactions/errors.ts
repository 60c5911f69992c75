import { SluiceError } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'

/** What became of a transaction that failed: `aborted`, nothing of it will ever be seen; `unknown`, all of it may be. */
export type TransactionOutcome = 'aborted' | 'unknown'

/** A transaction was not committed, for all that is known. */
export class TransactionError extends SluiceError<'transaction_failed'> {
  /** The id that the transaction ran under. */
  declare readonly transactionalId: string
  /** Whether it can have been committed. */
  declare readonly outcome: TransactionOutcome

  constructor(transactionalId: string, outcome: TransactionOutcome, cause: unknown, retriable: boolean) {
    const what = outcome === 'aborted' ? 'was aborted' : 'may have been committed or not'
    super('transaction_failed', `a transaction of ${transactionalId} ${what}: ${messageOf(cause)}`, {
      retriable,
      cause,
      facts: { transactionalId, outcome },
    })
  }
}

/** Another process has begun to write under this transactional id; this one may write no more. */
export class ProducerFencedError extends SluiceError<'producer_fenced'> {
  /** The id that another process has taken over. */
  declare readonly transactionalId: string

  constructor(transactionalId: string, cause: unknown) {
    super(
      'producer_fenced',
      `another producer has taken over the transactional id ${transactionalId}: give each running process its own`,
      { cause, facts: { transactionalId } },
    )
  }
}
