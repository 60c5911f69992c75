import { systemClock, type Clock } from '@sluice/flow'
import { requireInteger, requireNumber } from '@sluice/flow/internal'
import type { Pool } from 'pg'
import { LOCK_TIMEOUT_MS, inTransaction, lend, type Transaction } from '../sql/transaction.ts'
import { explained, tablesOf, type TableOptions } from '../tables.ts'
import { EXPIRY_MS, type Handled, type IdempotencyStore, type Mark } from './store.ts'

/** What `postgresIdempotency` takes. */
export interface PostgresIdempotencyOptions extends TableOptions {
  /** Of `pg`: one connection for each record that is being handled. */
  readonly pool: Pool
  /** Marks older than this may be purged. From 1,000, default 7 days. */
  readonly expiryMs?: number
  /** For the wait for a connection, and for one record, the handler included. From 1,000, default 60,000. */
  readonly transactionTimeoutMs?: number
  /** For tests. Default: the machine's. */
  readonly clock?: Clock
}

/** What `purge` takes. */
export interface PurgeOptions {
  /** Marks deleted by one statement. From 1, default 1,000. */
  readonly batchRows?: number
  readonly signal?: AbortSignal
}

/** Between two statements of a purge, for others. */
const PURGE_PAUSE_MS = 20

/** Marks in a table, written in the transaction of the handler's effects. @throws ConfigError */
export function postgresIdempotency(options: PostgresIdempotencyOptions): PostgresIdempotency {
  return new PostgresIdempotency(options)
}

/**
 * Remembers in PostgreSQL what was handled, in the transaction of the handler's effects: exactly once. See
 * `postgresIdempotency`.
 */
export class PostgresIdempotency implements IdempotencyStore<Transaction> {
  readonly #pool: Pool
  readonly #clock: Clock
  readonly #table: string
  readonly #expiryMs: number
  readonly #timeoutMs: number

  /** For `postgresIdempotency`. */
  constructor({ pool, clock = systemClock, expiryMs, transactionTimeoutMs, ...place }: PostgresIdempotencyOptions) {
    this.#pool = pool
    this.#clock = clock
    this.#table = tablesOf(place).idempotency
    this.#expiryMs = requireNumber('expiryMs', expiryMs ?? EXPIRY_MS, { min: 1_000 })
    this.#timeoutMs = requireInteger('transactionTimeoutMs', transactionTimeoutMs ?? 60_000, { min: 1_000 })
  }

  /** @throws also CommitInDoubtError: the next attempt finds out */
  async once(mark: Mark, handle: (tx: Transaction) => unknown): Promise<Handled> {
    const settings = {
      pool: this.#pool,
      clock: this.#clock,
      timeoutMs: this.#timeoutMs,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
    }
    return await inTransaction(settings, async (tx): Promise<Handled> => {
      if (!(await this.#mark(tx, mark))) return 'duplicate'
      await lend(tx, handle)
      return 'handled'
    })
  }

  /** Deletes what has expired, a few rows at a time. Returns how many there were. */
  async purge({ batchRows = 1_000, signal }: PurgeOptions = {}): Promise<number> {
    requireInteger('batchRows', batchRows, { min: 1 })
    for (let purged = 0; ;) {
      signal?.throwIfAborted()
      const { rowCount } = await this.#pool.query(
        `DELETE FROM ${this.#table} WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM ${this.#table} WHERE processed_at < now() - $1 * interval '1 millisecond'
           ORDER BY processed_at LIMIT $2))`,
        [this.#expiryMs, batchRows],
      )
      purged += rowCount ?? 0
      if ((rowCount ?? 0) < batchRows) return purged
      await this.#clock.sleep(PURGE_PAUSE_MS, signal)
    }
  }

  /**
   * False: it was marked before. Waits for another transaction that marks it now. A mark of the same place in a log that
   * was cut since, told by its leader epoch, is of another record.
   */
  async #mark(tx: Transaction, { group, key, topic, partition, offset, leaderEpoch }: Mark): Promise<boolean> {
    const statement = `
      INSERT INTO ${this.#table} AS m (group_id, key, topic, partition, "offset", leader_epoch)
      VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (group_id, key) DO UPDATE SET leader_epoch = excluded.leader_epoch, processed_at = now()
      WHERE m.leader_epoch >= 0 AND excluded.leader_epoch >= 0 AND m.leader_epoch <> excluded.leader_epoch`
    try {
      const { rowCount } = await tx.query(statement, [group, key, topic, partition, offset, leaderEpoch])
      return rowCount === 1
    } catch (error) {
      throw explained(error, this.#table)
    }
  }
}
