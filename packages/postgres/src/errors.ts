import { SluiceError } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'

/** The tables are not there: `migrate` makes them. */
export class TablesMissingError extends SluiceError<'tables_missing'> {
  /** The table that was looked for. */
  declare readonly table: string

  constructor(table: string, cause: unknown) {
    super('tables_missing', `The table ${table} does not exist: call migrate() with the same schema and prefix first`, {
      cause,
      facts: { table },
    })
  }
}

/** PostgreSQL could not be reached, or could not do it now. */
export class PostgresUnavailableError extends SluiceError<'postgres_unavailable'> {
  constructor(cause: unknown) {
    super('postgres_unavailable', `PostgreSQL cannot be used now: ${messageOf(cause)}`, { retriable: true, cause })
  }
}

/**
 * The row that keeps a partition's position is not as its owner has left it, and no other owner has taken it: it was
 * changed or deleted by hand, or the database has lost what it had committed. Nothing more is written.
 */
export class PositionChangedError extends SluiceError<'position_changed'> {
  declare readonly topic: string
  declare readonly partition: number
  /** What was written last; null: nothing yet. */
  declare readonly expected: number | null
  /** What is there; null: nothing yet. Undefined: there is no row. */
  declare readonly found: number | null | undefined

  constructor(place: { topic: string; partition: number }, expected: number | null, found: number | null | undefined) {
    const { topic, partition } = place
    const what = found === undefined ? 'is gone' : `says ${found}`
    super('position_changed', `The position kept for ${topic}/${partition} ${what}, where ${expected} was written`, {
      facts: { topic, partition, expected, found },
    })
  }
}

/** Another owner has taken the partition. Its records are that one's to handle. */
export class FencedError extends SluiceError<'sink_fenced'> {
  declare readonly topic: string
  declare readonly partition: number

  constructor({ topic, partition }: { topic: string; partition: number }) {
    super('sink_fenced', `Another consumer of the group has taken ${topic}/${partition}`, {
      facts: { topic, partition },
    })
  }
}

/** COMMIT was sent and not answered: nobody knows yet whether it was done. */
export class CommitInDoubtError extends SluiceError<'commit_in_doubt'> {
  constructor(cause: unknown) {
    super('commit_in_doubt', `COMMIT was not answered: ${messageOf(cause)}`, { retriable: true, cause })
  }
}

/** A statement had failed, the handler went on as if nothing were, and so PostgreSQL undid it all. */
export class TransactionAbortedError extends SluiceError<'transaction_aborted'> {
  constructor() {
    super('transaction_aborted', 'PostgreSQL undid the transaction: a statement in it had failed, and nobody said so')
  }
}

/** A handler has ended the transaction that it was lent, or has tried to. What was refused has not been sent. */
export class TransactionEndedError extends SluiceError<'transaction_ended'> {
  constructor(cause?: unknown) {
    const what = 'The handler ended its transaction, or tried to, which is not its to end'
    super('transaction_ended', `${what}: leave out COMMIT and ROLLBACK, throw to undo, or use a SAVEPOINT`, { cause })
  }
}

/** Redis did not answer, or not as it should; the cause says why. */
export class RedisUnavailableError extends SluiceError<'redis_unavailable'> {
  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super('redis_unavailable', `Redis could not be asked: ${why}`, { retriable: true, cause })
  }
}

/** A transaction did not end in time, and its connection was closed. */
export class TransactionTimeoutError extends SluiceError<'transaction_timed_out'> {
  /** The time that was over. */
  declare readonly timeoutMs: number

  constructor(timeoutMs: number, cause?: unknown) {
    const why = cause === undefined ? '' : `: ${messageOf(cause)}`
    super('transaction_timed_out', `The transaction did not end within ${timeoutMs} ms${why}`, {
      retriable: true,
      cause,
      facts: { timeoutMs },
    })
  }
}

/** Another process handles the same record right now, or was killed while it did and its claim has not expired. */
export class ClaimHeldError extends SluiceError<'claim_held'> {
  declare readonly key: string

  constructor(key: string) {
    super('claim_held', `Somebody else handles ${key} right now`, { retriable: true, facts: { key } })
  }
}
