import { randomUUID } from 'node:crypto'
import { ConfigError } from '@sluice/flow'
import { requireFunction, requireInteger, messageOf } from '@sluice/flow/internal'
import { ClaimHeldError, RedisUnavailableError } from '../errors.ts'
import { EXPIRY_MS, type Handled, type IdempotencyStore, type Mark } from './store.ts'

/** What is used of a client of `@redis/client`: the user's own, connected, with its own error listener. */
export interface RedisClient {
  /** Runs a Lua script, as the method of `@redis/client` does. */
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

/** What `redisIdempotency` takes. */
export interface RedisIdempotencyOptions {
  /** A connected client of `@redis/client`, or one with its `eval`. */
  readonly client: RedisClient
  /** A record that was handled is known for so long. From 1,000, default 7 days. */
  readonly expiryMs?: number
  /**
   * How long a record is claimed while it is handled; renewed while that goes on. Who was killed keeps it for so long.
   * From 1,000 to 2,147,483,647, default 30,000.
   */
  readonly claimMs?: number
  /**
   * Told of a record that was handled while somebody else could claim it (this process was frozen, or Redis away, for
   * longer than `claimMs`): it may have been handled twice. Default: a warning of the process.
   */
  readonly onClaimLost?: (mark: Mark) => unknown
  /** What the names of keys begin with. Default `sluice:idempotency:`. */
  readonly prefix?: string
}

/** Claims it, or says who has it: `claimed:LEADER EPOCH:TOKEN`, or `done:LEADER EPOCH:JSON`. */
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

/** For another while, also where it has expired or Redis has lost it, unless somebody else has it now. */
const RENEW = `
  local found = redis.call('GET', KEYS[1])
  if not found or found == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end`

const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`

/**
 * Whoever has claimed it meanwhile: it was handled, and nobody is to handle it after that one. But what is of a later log
 * at the same place stays. Says whether the claim was still ours.
 */
const DONE = `
  local found = redis.call('GET', KEYS[1])
  local epoch = found and tonumber(string.match(found, '^%a+:(-?%d+):'))
  if not epoch or epoch <= tonumber(ARGV[4]) then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
  return (found == ARGV[1] or found == ARGV[2]) and 1 or 0`

/** What a timer of Node keeps: a longer one would run every millisecond. */
const MAX_CLAIM_MS = 2 ** 31 - 1

/** A record that was handled, and Redis could not be told. */
interface Unmarked {
  readonly mark: Mark
  readonly claim: string
  readonly done: string
  /** While it is tried again, once for all who wait for it. */
  marking?: Promise<void> | undefined
}

/**
 * Marks in Redis: claimed, while a record is handled, then done. Its effects lie elsewhere and cannot be done in the
 * same step: a process that is killed between them and the mark leaves a claim, and after that the record is handled
 * again; one that is frozen for longer than `claimMs` is overlapped by whoever claims the record next.
 * @throws ConfigError
 */
export function redisIdempotency(options: RedisIdempotencyOptions): IdempotencyStore<undefined> {
  return new RedisIdempotency(options)
}

class RedisIdempotency implements IdempotencyStore<undefined> {
  readonly #client: RedisClient
  readonly #expiryMs: number
  readonly #claimMs: number
  readonly #prefix: string
  readonly #onClaimLost: (mark: Mark) => unknown
  /** By key. They are marked before any other record is handled, and so are no more than are handled at once. */
  readonly #unmarked = new Map<string, Unmarked>()

  constructor({
    client,
    expiryMs,
    claimMs,
    onClaimLost = warnOfLostClaim,
    prefix = 'sluice:idempotency:',
  }: RedisIdempotencyOptions) {
    if (typeof client?.eval !== 'function') throw new ConfigError('client', client, 'a client of @redis/client')
    this.#client = client
    this.#expiryMs = requireInteger('expiryMs', expiryMs ?? EXPIRY_MS, { min: 1_000 })
    this.#claimMs = requireInteger('claimMs', claimMs ?? 30_000, { min: 1_000, max: MAX_CLAIM_MS })
    this.#prefix = prefix
    requireFunction('onClaimLost', onClaimLost)
    this.#onClaimLost = onClaimLost
  }

  /**
   * Where Redis is away when it is to be marked, later calls mark it, and one for the same record handles nothing.
   * @throws also ClaimHeldError: somebody else has it under way, so that it is to be tried again; RedisUnavailableError
   */
  async once(mark: Mark, handle: (tx: undefined) => unknown): Promise<Handled> {
    // The group with its length, so that no key of one group can be that of another.
    const key = `${this.#prefix}${mark.group.length}:${mark.group}:${mark.key}`
    const { topic, partition, offset, leaderEpoch } = mark
    const isHandled = this.#unmarked.get(key)?.mark.leaderEpoch === leaderEpoch
    for (const [one, unmarked] of this.#unmarked) await this.#markAgain(one, unmarked)
    if (isHandled) return 'handled'
    const claim = `claimed:${leaderEpoch}:${randomUUID()}`
    const found = await this.#eval(CLAIM, key, claim, this.#claimMs, leaderEpoch)
    if (typeof found === 'string') {
      if (found.startsWith('done:')) return 'duplicate'
      throw new ClaimHeldError(mark.key)
    }
    const stopRenewing = this.#renewWhileHandled(key, claim)
    try {
      await handle(undefined)
    } catch (error) {
      stopRenewing()
      // Where that fails too the claim expires by itself.
      await this.#eval(RELEASE, key, claim).catch(() => {})
      throw error
    }
    stopRenewing()
    const facts = JSON.stringify({ processed_at: Date.now(), topic, partition, offset })
    const handled = { mark, claim, done: `done:${leaderEpoch}:${facts}` }
    try {
      await this.#markDone(key, handled)
    } catch (error) {
      this.#unmarked.set(key, handled)
      throw error
    }
    return 'handled'
  }

  /** One that fails is followed by the next, and what was handled is marked whoever has the claim by then. */
  #renewWhileHandled(key: string, claim: string): () => void {
    let isUnderWay = false
    const renew = async (): Promise<void> => {
      // While Redis is away, the client may keep what it is told: one renewal says as much as many.
      if (isUnderWay) return
      isUnderWay = true
      await this.#eval(RENEW, key, claim, this.#claimMs).catch(() => {})
      isUnderWay = false
    }
    // A handler that hangs must not keep a process alive that is closed.
    const renewal = setInterval(() => void renew(), this.#claimMs / 3).unref()
    return () => clearInterval(renewal)
  }

  async #markDone(key: string, { mark, claim, done }: Unmarked): Promise<void> {
    const isOurs = await this.#eval(DONE, key, claim, done, this.#expiryMs, mark.leaderEpoch)
    if (isOurs !== 1) void this.#tellLost(mark)
  }

  /** It is known to be handled until it is marked. */
  async #markAgain(key: string, unmarked: Unmarked): Promise<void> {
    unmarked.marking ??= this.#markDone(key, unmarked)
      .then(() => void this.#unmarked.delete(key))
      .finally(() => (unmarked.marking = undefined))
    await unmarked.marking
  }

  async #tellLost(mark: Mark): Promise<void> {
    try {
      await this.#onClaimLost(mark)
    } catch (error) {
      process.emitWarning(`onClaimLost failed: ${messageOf(error)}`, { code: 'SLUICE_IDEMPOTENCY' })
    }
  }

  async #eval(script: string, key: string, ...parameters: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.#client.eval(script, { keys: [key], arguments: parameters.map(String) })
    } catch (error) {
      throw new RedisUnavailableError(error)
    }
  }
}

function warnOfLostClaim({ topic, partition, offset }: Mark): void {
  const what = `the claim of ${topic}/${partition}/${offset} was lost while it was handled: it may be handled twice`
  process.emitWarning(what, { code: 'SLUICE_IDEMPOTENCY' })
}
