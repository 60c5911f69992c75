import { inTransaction, type Client, type Pool } from '../database/database.ts'
import type { Cache } from './caches.ts'

export interface ClaimPlan {
  /** Rows in all. */
  readonly batchSize: number
  /** The share of them that were never cached. */
  readonly newDataRatio: number
  /** A claim that is never stamped (its worker died) is void after this. */
  readonly holdMs: number
}

export interface Claim<Row> {
  readonly rows: readonly Row[]
  /** How many of them were never cached before. */
  readonly fresh: number
}

type Kind = 'fresh' | 'aged'

/**
 * Claims the next rows for a cache: half of them (`newDataRatio`) never cached, the oldest first, the rest those whose last
 * time is the longest ago; where one half is short the other fills it. Two workers never get the same row: the rows are locked
 * while they are picked, rows that another worker has locked are skipped, and the claim outlives the transaction, which
 * is over before Redis is spoken to. NO KEY UPDATE lets others insert rows that refer to these meanwhile.
 */
export function claim<Row>(pool: Pool, cache: Cache<Row>, plan: ClaimPlan): Promise<Claim<Row>> {
  const { batchSize, newDataRatio, holdMs } = plan
  return inTransaction(pool, async (client) => {
    const take = (kind: Kind, count: number): Promise<Row[]> => pick(client, cache, kind, count, holdMs)
    const fresh = await take('fresh', Math.round(batchSize * newDataRatio))
    const aged = await take('aged', batchSize - fresh.length)
    const filled = await take('fresh', batchSize - fresh.length - aged.length)
    return { rows: [...fresh, ...aged, ...filled], fresh: fresh.length + filled.length }
  })
}

/** Marks claimed rows as cached now: they go to the end of the queue. */
export async function stamp<Row>(pool: Pool, cache: Cache<Row>, rows: readonly Row[]): Promise<void> {
  await update(pool, cache, 'last_cached_at = now(), cache_claimed_until = NULL', rows)
}

/** Gives rows back that were not cached after all. */
export async function unclaim<Row>(pool: Pool, cache: Cache<Row>, rows: readonly Row[]): Promise<void> {
  await update(pool, cache, 'cache_claimed_until = NULL', rows)
}

async function update<Row>(pool: Pool, cache: Cache<Row>, set: string, rows: readonly Row[]): Promise<void> {
  const ids = rows.map((row) => row[cache.id])
  await pool.query(`UPDATE ${cache.name} SET ${set} WHERE ${cache.id} = ANY($1::text[])`, [ids])
}

async function pick<Row>(
  client: Client,
  { name, id, columns }: Cache<Row>,
  kind: Kind,
  count: number,
  holdMs: number,
): Promise<Row[]> {
  if (count <= 0) return []
  // Each kind has its partial index, in just this order.
  const [condition, order] =
    kind === 'fresh' ? ['IS NULL', `created_at, ${id}`] : ['IS NOT NULL', `last_cached_at, ${id}`]
  const { rows } = await client.query(
    `WITH picked AS (
       SELECT ${id} AS picked_id FROM ${name}
       WHERE last_cached_at ${condition} AND (cache_claimed_until IS NULL OR cache_claimed_until < now())
       ORDER BY ${order} LIMIT $1
       FOR NO KEY UPDATE SKIP LOCKED
     )
     UPDATE ${name} SET cache_claimed_until = now() + $2 * interval '1 millisecond'
     FROM picked WHERE ${id} = picked_id
     RETURNING ${columns.join(', ')}`,
    [count, holdMs],
  )
  return rows as Row[]
}
