import type { PoolClient } from 'pg'
import { lockKey } from '../sql/lock-key.ts'
import { BUCKETS } from './row.ts'

/**
 * The buckets that one session has for itself, by advisory locks that the server keeps for as long as the session lives:
 * whoever is killed or cut off loses them, together with the transaction it was in.
 */
export class BucketLocks {
  readonly #client: PoolClient
  readonly #tables: string
  readonly #most: number
  readonly #held = new Set<number>()

  constructor(client: PoolClient, tables: string, most: number) {
    this.#client = client
    this.#tables = tables
    this.#most = most
  }

  get held(): readonly number[] {
    return [...this.#held]
  }

  /** Takes what is free, up to as many as it may have. */
  async takeMore(): Promise<void> {
    // Two that start at the same time begin at different places.
    const first = Math.floor(Math.random() * BUCKETS)
    for (let step = 0; step < BUCKETS && this.#held.size < this.#most; step++) {
      const bucket = (first + step) % BUCKETS
      if (!this.#held.has(bucket) && (await this.#tryLock(bucket))) this.#held.add(bucket)
    }
  }

  async #tryLock(bucket: number): Promise<boolean> {
    const key = lockKey(this.#tables, 'outbox-bucket', bucket).toString()
    const { rows } = await this.#client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [key])
    return rows[0]!.taken
  }
}
