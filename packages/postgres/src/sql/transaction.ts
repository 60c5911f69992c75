import { ClosedError, type Clock } from '@sluice/flow'
import { orAborted } from '@sluice/flow/internal'
import type { ClientBase, Pool, PoolClient } from 'pg'
import {
  CommitInDoubtError,
  TransactionAbortedError,
  TransactionEndedError,
  TransactionTimeoutError,
} from '../errors.ts'
import { isRefusal, isSqlError } from './fault.ts'

/**
 * What a handler's statements go through: a client of `pg` in a transaction that is not the handler's to end. Once the
 * handler has ended it refuses them with a ClosedError.
 */
export type Transaction = Pick<ClientBase, 'query'>

export interface TransactionSettings {
  readonly pool: Pool
  readonly clock: Clock
  /** For the wait for a connection, and again for all that is done with it. */
  readonly timeoutMs: number
  /** The server ends a transaction that waits so long for a lock, and a session that leaves one open and idle. */
  readonly lockTimeoutMs: number
  /** Once aborted, nothing is waited for any more: the connection is thrown away, whatever runs on it. */
  readonly signal?: AbortSignal
}

interface ConnectionSettings extends Pick<TransactionSettings, 'pool' | 'clock' | 'timeoutMs' | 'signal'> {
  /** Default: `timeoutMs`. */
  readonly connectTimeoutMs?: number
}

/** A frozen owner's locks end after so long. */
export const LOCK_TIMEOUT_MS = 10_000

/**
 * Runs `work` in a transaction of its own. The result is there once COMMIT was answered.
 * @throws CommitInDoubtError where it was not answered; what `work` throws; TransactionTimeoutError; the signal's reason
 */
export async function inTransaction<T>(
  settings: TransactionSettings,
  work: (tx: Transaction) => Promise<T>,
  beforeCommit: () => void = () => {},
): Promise<T> {
  return await withConnection(settings, async (client, discard) => {
    await client.query(beginStatement(settings.lockTimeoutMs))
    try {
      const result = await work(client)
      beforeCommit()
      await commit(client)
      return result
    } catch (error) {
      // After a COMMIT in doubt the connection goes, with whatever it may still be doing.
      if (error instanceof CommitInDoubtError) discard()
      else await client.query('ROLLBACK').catch(discard)
      throw error
    }
  })
}

/**
 * Lends a transaction to a handler until it ends. What a part of it that nobody waits for sends later (the others of a
 * `Promise.all` of which one has failed) would take effect outside of the transaction, or in the next one. A statement
 * that would end the transaction is refused, and what ends it among others in one text is found out afterwards.
 * @throws what `handle` throws; TransactionEndedError; TransactionAbortedError
 */
export async function lend<T>(tx: Transaction, handle: (lent: Transaction) => T | Promise<T>): Promise<T> {
  let hasEnded = false
  let isRefused = false
  const query = (...parameters: unknown[]): unknown => {
    if (hasEnded) throw new ClosedError('the transaction')
    if (wouldEnd(parameters[0])) {
      isRefused = true
      throw new TransactionEndedError()
    }
    return (tx.query as (...parameters: unknown[]) => unknown).apply(tx, parameters)
  }
  const [outcome] = await Promise.allSettled([(async () => handle({ query: query as Transaction['query'] }))()])
  hasEnded = true
  const hasFailed = outcome.status === 'rejected'
  const state = await stateOf(tx).catch((error: unknown) => {
    // The handler's own error says more.
    if (hasFailed) return 'unknown'
    throw error
  })
  // Also where the handler has caught the refusal: what it wanted to undo would be committed.
  if (isRefused || state === 'ended') throw new TransactionEndedError(hasFailed ? outcome.reason : undefined)
  if (hasFailed) throw outcome.reason
  if (state === 'aborted') throw new TransactionAbortedError()
  return outcome.value
}

/** COMMIT, END, ABORT, PREPARE TRANSACTION, and ROLLBACK unless to a savepoint; behind white space and comments. */
const ENDING =
  /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*(?:COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b))\b/i

/** @param query text, or an object that has it, as `pg` takes them */
function wouldEnd(query: unknown): boolean {
  const text = typeof query === 'object' && query !== null && 'text' in query ? query.text : query
  return typeof text === 'string' && ENDING.test(text)
}

/** Is gone with the transaction that it was set in, and not there in another that was begun instead. */
const MARK = 'sluice.in_transaction'

async function stateOf(tx: Transaction): Promise<'open' | 'ended' | 'aborted'> {
  try {
    const { rows } = await tx.query<{ mark: string | null }>(`SELECT current_setting('${MARK}', true) AS mark`)
    return rows[0]?.mark === 'on' ? 'open' : 'ended'
  } catch (error) {
    if (isSqlError(error) && error.code === '25P02') return 'aborted'
    throw error
  }
}

/** The server hears it in one message. */
function beginStatement(timeoutMs: number): string {
  const settings = ['idle_in_transaction_session_timeout', 'lock_timeout']
  const mark = `SET LOCAL ${MARK} = 'on'`
  return ['BEGIN', ...settings.map((name) => `SET LOCAL ${name} = ${timeoutMs}`), mark].join('; ')
}

async function commit(client: PoolClient): Promise<void> {
  let command: string
  try {
    command = (await client.query('COMMIT')).command
  } catch (error) {
    throw isRefusal(error) ? error : new CommitInDoubtError(error)
  }
  // The server's answer to COMMIT where a statement has failed, and whoever sent it went on.
  if (command === 'ROLLBACK') throw new TransactionAbortedError()
}

/**
 * Lends a connection of the pool. One that may not be as it was is thrown away, and so is one that has not come back in
 * time: whatever waits for it is rejected then.
 */
export async function withConnection<T>(
  settings: ConnectionSettings,
  work: (client: PoolClient, discard: () => void) => Promise<T>,
): Promise<T> {
  const { clock, timeoutMs, signal } = settings
  let isBroken = false
  const discard = (): void => void (isBroken = true)
  const client = await connected(settings, discard)
  try {
    return await orAborted(before(clock, timeoutMs, work(client, discard)), signal)
  } catch (error) {
    if (error instanceof TransactionTimeoutError || signal?.aborted === true) discard()
    throw error
  } finally {
    client.off('error', discard)
    // What the pool throws away may still break in its own time.
    if (isBroken) client.on('error', () => {})
    client.release(isBroken)
  }
}

/** @throws TransactionTimeoutError */
async function connected(settings: ConnectionSettings, onBroken: () => void): Promise<PoolClient> {
  const { pool, clock, timeoutMs, connectTimeoutMs = timeoutMs, signal } = settings
  const connecting = connect(pool, onBroken)
  try {
    return await orAborted(before(clock, connectTimeoutMs, connecting), signal)
  } catch (error) {
    // It may come all the same.
    connecting.then(
      (late) => {
        late.off('error', onBroken)
        const isUnwanted = signal?.aborted === true
        if (isUnwanted) late.on('error', () => {})
        late.release(isUnwanted)
      },
      () => {},
    )
    throw error
  }
}

/**
 * The pool listens only while a connection is idle; unheard, one that breaks now would end the process. The statement
 * under way, or the next one, tells of it. By a callback, since a promise is too late for what came in one piece with
 * the server's welcome.
 */
function connect(pool: Pool, onBroken: () => void): Promise<PoolClient> {
  const { promise, resolve, reject } = Promise.withResolvers<PoolClient>()
  pool.connect((error, client) => {
    if (client === undefined) return reject(error!)
    client.on('error', onBroken)
    resolve(client)
  })
  return promise
}

/** What the work brings, if it brings it in time; else it goes on unseen. @throws TransactionTimeoutError */
export async function before<T>(clock: Clock, timeoutMs: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = clock.setTimeout(() => late.reject(new TransactionTimeoutError(timeoutMs)), timeoutMs)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    timer.cancel()
  }
}
