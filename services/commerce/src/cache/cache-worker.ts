import { type Clock, systemClock } from '@sluice/flow'
import type { Logger } from 'pino'
import type { Pool } from '../database/database.ts'
import { type Cache, PRODUCTS, USERS } from './caches.ts'
import { claim, stamp, unclaim } from './claim.ts'
import { answered, type Redis } from './redis.ts'
import { giveBackRound, nextRoundInMs, takeRound } from './rounds.ts'
import { swapCache } from './swap.ts'

/** Where the cache is empty the next round comes early, but not at once: another worker may be at it. */
const EMPTY_INTERVAL_MS = 2_000
/** A worker that stands by looks again at least this often, so that an emptied cache is seen. */
const MAX_WAIT_MS = 5_000
const RETRY_MS = 1_000

export interface CacheWorkerOptions {
  readonly pool: Pool
  readonly redis: Redis
  readonly log: Logger
  readonly refreshIntervalMs: number
  readonly batchSize: number
  readonly newDataRatio: number
  readonly clock?: Clock
}

export interface CacheCounts {
  readonly users: number
  readonly products: number
}

/** What one round did. */
export interface Round {
  readonly cycle: number
  readonly users: number
  readonly products: number
  /** Rows of the round that had never been cached. */
  readonly fresh: number
  readonly tookMs: number
}

/** Refreshes the caches round by round. Several of them share the rounds: one does a round, the others stand by. */
export class CacheWorker implements AsyncDisposable {
  readonly #options: CacheWorkerOptions
  readonly #clock: Clock
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #lastRound: Round | undefined
  #rounds = 0
  #failures = 0
  #consecutiveFailures = 0

  constructor(options: CacheWorkerOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Does the round that is due, if this worker is the one to take it. */
  async refresh(): Promise<Round | undefined> {
    const { pool, redis, refreshIntervalMs } = this.#options
    const { users, products } = await cacheCounts(redis)
    const intervalMs = users && products ? refreshIntervalMs : Math.min(EMPTY_INTERVAL_MS, refreshIntervalMs)
    const cycle = await takeRound(pool, intervalMs)
    if (cycle === undefined) return undefined
    try {
      return await this.#doRound(cycle)
    } catch (error) {
      await this.#attempt('a failed round was not given back', giveBackRound(pool, cycle, refreshIntervalMs))
      throw error
    }
  }

  async #doRound(cycle: number): Promise<Round> {
    const startedMs = this.#clock.monotonicMs()
    const cachedUsers = await this.#replace(USERS, cycle)
    const cachedProducts = await this.#replace(PRODUCTS, cycle)
    return {
      cycle,
      users: cachedUsers.rows,
      products: cachedProducts.rows,
      fresh: cachedUsers.fresh + cachedProducts.fresh,
      tookMs: Math.round(this.#clock.monotonicMs() - startedMs),
    }
  }

  inspect() {
    return {
      rounds: this.#rounds,
      failures: this.#failures,
      healthy: this.#consecutiveFailures === 0,
      lastRound: this.#lastRound,
    }
  }

  /** Finishes the round it is in. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #replace<Row>(cache: Cache<Row>, cycle: number): Promise<{ rows: number; fresh: number }> {
    const { pool, redis, batchSize, newDataRatio, refreshIntervalMs } = this.#options
    const { rows, fresh } = await claim(pool, cache, { batchSize, newDataRatio, holdMs: 2 * refreshIntervalMs })
    if (rows.length === 0) return { rows: 0, fresh: 0 }
    try {
      const swapped = await swapCache(redis, cache, cycle, rows)
      if (!swapped) throw new Error(`a newer round than ${cycle} has already filled ${cache.key}`)
    } catch (error) {
      await this.#attempt('claims were not given back', unclaim(pool, cache, rows))
      throw error
    }
    // Only now: what is stamped has been in the cache.
    await stamp(pool, cache, rows)
    return { rows: rows.length, fresh }
  }

  /** For cleaning up after an error, which is the one to be told; what is left behind ends by itself. */
  async #attempt(failure: string, work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) => this.#options.log.warn({ err: error }, failure))
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const waitMs = await this.#turn()
      await this.#clock.sleep(waitMs, this.#stop.signal).catch(() => undefined)
    }
  }

  /** @returns how long to wait before the next one */
  async #turn(): Promise<number> {
    try {
      const round = await this.refresh()
      if (round) this.#done(round)
      this.#consecutiveFailures = 0
      return Math.min(
        MAX_WAIT_MS,
        Math.max(1, await nextRoundInMs(this.#options.pool, this.#options.refreshIntervalMs)),
      )
    } catch (error) {
      this.#failures++
      this.#consecutiveFailures++
      this.#options.log.error({ err: error }, 'the cache was not refreshed')
      return RETRY_MS
    }
  }

  #done(round: Round): void {
    this.#rounds++
    this.#lastRound = round
    this.#options.log.info(round, 'cache refreshed')
  }
}

export async function cacheCounts(redis: Redis): Promise<CacheCounts> {
  const [users, products] = await answered(Promise.all([redis.hLen(USERS.key), redis.hLen(PRODUCTS.key)]))
  return { users, products }
}
