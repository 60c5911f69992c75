import type { Pool } from '../database/database.ts'

/** One name: users and products are refreshed in the same round. */
const ROUND = 'commerce'

/**
 * Takes the next round if it is due. Rounds are shared by all workers through one row, so that each round is done by
 * one of them and the others stand by. Its number grows by at least one and follows the clock, so that it also grows
 * past the one Redis remembers where the database was made anew.
 * @returns the round's number, or undefined where another worker has it or none is due
 */
export async function takeRound(pool: Pool, intervalMs: number): Promise<number | undefined> {
  const { rows } = await pool.query<{ cycle: string }>(
    `INSERT INTO cache_rounds AS round (name, cycle, started_at)
     VALUES ($1, (extract(epoch FROM now()) * 1000)::bigint, now())
     ON CONFLICT (name) DO UPDATE
       SET cycle = greatest(round.cycle + 1, excluded.cycle), started_at = excluded.started_at
       WHERE round.started_at <= now() - $2 * interval '1 millisecond'
     RETURNING cycle`,
    [ROUND, intervalMs],
  )
  return rows[0] && Number(rows[0].cycle)
}

/** Milliseconds until the next round is due; 0 where it is. */
export async function nextRoundInMs(pool: Pool, intervalMs: number): Promise<number> {
  const { rows } = await pool.query<{ in_ms: number }>(
    `SELECT (extract(epoch FROM started_at - now()) * 1000)::float8 + $2::float8 AS in_ms
     FROM cache_rounds WHERE name = $1`,
    [ROUND, intervalMs],
  )
  return Math.max(0, Math.ceil(rows[0]?.in_ms ?? 0))
}

/** Makes a round that failed due again, unless another one has begun. */
export async function giveBackRound(pool: Pool, cycle: number, intervalMs: number): Promise<void> {
  await pool.query(
    `UPDATE cache_rounds SET started_at = started_at - $3 * interval '1 millisecond' WHERE name = $1 AND cycle = $2`,
    [ROUND, cycle, intervalMs],
  )
}
