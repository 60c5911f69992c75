import pg from 'pg'
import { SluiceError } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import type { Logger } from 'pino'
import type { PostgresConfig } from '../config/servers.ts'

export type Pool = pg.Pool
export type Client = pg.PoolClient

const CONNECT_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 15_000
/** The server's own limit comes first, so that a query is known to have ended; this is for a server that hangs. */
const QUERY_TIMEOUT_MS = 20_000
const LOCK_TIMEOUT_MS = 10_000

/** PostgreSQL could not be reached, or refused the user, when the program started. */
export class PostgresUnreachableError extends SluiceError<'postgres_unreachable'> {
  constructor(config: PostgresConfig, cause: unknown) {
    const { host } = new URL(config.url)
    const why = messageOf(cause)
    const where = 'DATABASE_URL, or POSTGRES_HOST and the others'
    super('postgres_unreachable', `PostgreSQL at ${host} cannot be used: ${why} (${where})`, {
      retriable: true,
      cause,
      facts: { host },
    })
  }
}

/**
 * A pool in which nothing waits for ever. A connection that breaks while it is idle is only logged: the next is new.
 * @throws PostgresUnreachableError where the first connection cannot be made
 */
export async function openPool(config: PostgresConfig, name: string, max: number, log: Logger): Promise<Pool> {
  const pool = new pg.Pool({
    connectionString: config.url,
    application_name: name,
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    ...(config.tls && { ssl: { rejectUnauthorized: true } }),
  })
  pool.on('error', (error) => {
    // One that is being closed may well hear first that its server stops too.
    if (!pool.ending) log.warn({ err: error }, 'an idle PostgreSQL connection broke')
  })
  // The pool itself listens only while a connection is idle; unheard, one that breaks in use would end the process. The
  // query under way, or the next one, tells of it, and the pool throws it away.
  pool.on('connect', (client) => client.on('error', () => {}))
  try {
    await pool.query('SELECT 1')
  } catch (error) {
    await pool.end()
    throw new PostgresUnreachableError(config, error)
  }
  return pool
}

/** Runs `work` in a transaction of its own; a connection that could not be rolled back is thrown away. */
export function inTransaction<T>(pool: Pool, work: (client: Client) => Promise<T>): Promise<T> {
  return withClient(pool, async (client, discard) => {
    try {
      await client.query('BEGIN')
      const result = await work(client)
      await client.query('COMMIT')
      return result
    } catch (error) {
      await client.query('ROLLBACK').catch(discard)
      throw error
    }
  })
}

/** Runs `work` on the connection that holds the advisory lock; the next one waits, at most the lock timeout. */
export function withSessionLock<T>(pool: Pool, key: number, work: (client: Client) => Promise<T>): Promise<T> {
  return withClient(pool, async (client, discard) => {
    try {
      await client.query('SELECT pg_advisory_lock($1)', [key])
      return await work(client)
    } finally {
      // Harmless where the lock was never got; a connection that may still hold it is thrown away.
      await client.query('SELECT pg_advisory_unlock_all()').catch(discard)
    }
  })
}

async function withClient<T>(pool: Pool, work: (client: Client, discard: () => void) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let isBroken = false
  try {
    return await work(client, () => (isBroken = true))
  } finally {
    client.release(isBroken)
  }
}

/**
 * Class 08 (connection), serialization failure, deadlock, too many connections, a lock or a statement that took too long,
 * shutdown and start-up.
 */
const TRANSIENT_SQLSTATE = /^(08...|40001|40P01|53300|55P03|57014|57P0[1-3])$/
const TRANSIENT_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** Whether the same statement can succeed when it is tried again a little later. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code !== undefined) return TRANSIENT_SQLSTATE.test(code) || TRANSIENT_SYSTEM.has(code)
  // pg has no code for what it finds out itself.
  return /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect)/.test(error.message)
}
