import type { PoolClient } from 'pg'
import { advisoryLock } from '../sql/lock-key.ts'
import { BUCKETS } from './row.ts'

/**
 * The buckets that one session has for itself, by advisory locks that the server keeps for as long as the session lives:
 * whoever is killed or cut off loses them, together with the transaction it was in.
 */
export class BucketLocks {
  readonly #client: PoolClient
  readonly #outbox: string
  readonly #most: number
  readonly #held = new Set<number>()

  /** @param outbox the name of the table, quoted */
  constructor(client: PoolClient, outbox: string, most: number) {
    this.#client = client
    this.#outbox = outbox
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
    const lock = advisoryLock(this.#outbox, 'bucket', '$1::integer')
    const { rows } = await this.#client.query<{ taken: boolean }>(`SELECT pg_try_advisory_lock(${lock}) AS taken`, [
      bucket,
    ])
    return rows[0]!.taken
  }
}
