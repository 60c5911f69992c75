import { randomUUID } from 'node:crypto'
import { ConfigError, requireInteger } from '@sluice/flow'
import { ClaimHeldError } from '../errors.ts'
import { EXPIRY_MS, type Handled, type IdempotencyStore, type Mark } from './store.ts'

/** What is used of a client of `@redis/client`: the user's own, connected, with its own error listener. */
export interface RedisClient {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

export interface RedisIdempotencyOptions {
  readonly client: RedisClient
  /** A record that was handled is known for so long. From 1,000, default 7 days. */
  readonly expiryMs?: number
  /**
   * How long a record is claimed while it is handled; renewed while that goes on. Who was killed keeps it for so long.
   * From 1,000, default 30,000.
   */
  readonly claimMs?: number
  /** What the names of keys begin with. Default `sluice:idempotency:`. */
  readonly prefix?: string
}

/** Claims it, or says who has it: `claimed:TOKEN`, or `done:LEADER EPOCH:JSON`. */
const CLAIM = `
  local found = redis.call('GET', KEYS[1])
  if found then
    local epoch = tonumber(string.match(found, '^done:(-?%d+):'))
    local mine = tonumber(ARGV[3])
    local isOther = epoch and epoch >= 0 and mine >= 0 and epoch ~= mine
    if not isOther then return found end
  end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return false`

/** Changes what is still ours, and says whether it was. */
const CHANGE = `
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  if ARGV[2] == '' then redis.call('DEL', KEYS[1])
  else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
  return 1`

/**
 * Marks in Redis: claimed, while a record is handled, then done. Its effects lie elsewhere and cannot be done in the
 * same step: a process that is killed between them and the mark leaves a claim, and after that the record is handled
 * again. @throws ConfigError
 */
export function redisIdempotency(options: RedisIdempotencyOptions): IdempotencyStore<undefined> {
  return new RedisIdempotency(options)
}

class RedisIdempotency implements IdempotencyStore<undefined> {
  readonly #client: RedisClient
  readonly #expiryMs: number
  readonly #claimMs: number
  readonly #prefix: string

  constructor({ client, expiryMs, claimMs, prefix = 'sluice:idempotency:' }: RedisIdempotencyOptions) {
    if (typeof client?.eval !== 'function') throw new ConfigError('client', client, 'a client of @redis/client')
    this.#client = client
    this.#expiryMs = requireInteger('expiryMs', expiryMs ?? EXPIRY_MS, { min: 1_000 })
    this.#claimMs = requireInteger('claimMs', claimMs ?? 30_000, { min: 1_000 })
    this.#prefix = prefix
  }

  /** @throws also ClaimHeldError: somebody else has it under way, so that it is to be tried again */
  async once(mark: Mark, handle: (tx: undefined) => unknown): Promise<Handled> {
    // The group with its length, so that no key of one group can be that of another.
    const key = `${this.#prefix}${mark.group.length}:${mark.group}:${mark.key}`
    const claim = `claimed:${randomUUID()}`
    const claimMs = String(this.#claimMs)
    const found = await this.#client.eval(CLAIM, { keys: [key], arguments: [claim, claimMs, String(mark.leaderEpoch)] })
    if (typeof found === 'string') {
      if (found.startsWith('done:')) return 'duplicate'
      throw new ClaimHeldError(mark.key)
    }
    const change = (to: string, expiryMs: number): Promise<unknown> =>
      this.#client.eval(CHANGE, { keys: [key], arguments: [claim, to, String(expiryMs)] })
    const renewal = setInterval(() => void change(claim, this.#claimMs).catch(() => {}), this.#claimMs / 3)
    try {
      await handle(undefined)
    } catch (error) {
      clearInterval(renewal)
      // Where that fails too the claim expires by itself.
      await change('', 0).catch(() => {})
      throw error
    }
    clearInterval(renewal)
    const { topic, partition, offset, leaderEpoch } = mark
    const facts = JSON.stringify({ processed_at: Date.now(), topic, partition, offset })
    await change(`done:${leaderEpoch}:${facts}`, this.#expiryMs)
    return 'handled'
  }
}
