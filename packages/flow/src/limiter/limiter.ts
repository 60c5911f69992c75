import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { BackpressureError, ClosedError } from '../errors.ts'
import { Waiters } from '../gate/waiters.ts'
import { fixedLimit } from '../limits/fixed.ts'
import type { Limit, LimitSample, LimitState } from '../limits/limit.ts'
import { askSafely, callListener } from '../listener.ts'
import { perPriority, priorities } from '../queue/priority.ts'
import type { PerPriority, Priority } from '../queue/priority.ts'
import { requireFunction, requireInteger, requireNumber, requireOneOf } from '../require.ts'
import { defaultShares, nextByShare, requireShares } from './shares.ts'
import type { Shares } from './shares.ts'

/** What a limiter takes. */
export interface LimiterOptions {
  /** Calls at a time: a number, from 1, stays as it is; a `Limit` learns. */
  readonly limit: number | Limit
  /** Default 0.5 high, 0.3 medium, 0.2 low. */
  readonly shares?: Shares
  /** How many could be in flight at all just now (runnable lanes, say): the limit in force is at most this. */
  readonly cap?: () => number
  /** Whether our own event loop is saturated just now: a sample taken then cannot raise the limit. */
  readonly isSaturated?: () => boolean
  /** Callers of `acquire` that may wait at a time. From 0. Default 1,000. */
  readonly maxWaiting?: number
  /** Told of each change of the limit in whole slots. */
  readonly onLimit?: (change: LimitChange) => void
  readonly clock?: Clock
}

/** A limit that was learned. */
export interface LimitChange {
  /** The limit before. */
  readonly from: number
  /** The limit now. */
  readonly to: number
}

/** What `acquire` of a limiter takes. */
export interface LimiterAcquireOptions {
  /** Default medium. */
  readonly priority?: Priority
  readonly signal?: AbortSignal | undefined
  /**
   * Rejects with `BackpressureError('timeout_drop')` after this time. From 0. Default: waits until the limiter is
   * closed.
   */
  readonly timeoutMs?: number | undefined
}

/** What `run` of a limiter takes beside the work. */
export interface LimiterRunOptions extends LimiterAcquireOptions {
  /** Which errors say that the backend refused it or did not answer in time. Default: none. */
  readonly isDrop?: (error: unknown) => boolean
}

/** A slot in use. The first outcome frees it and counts; any later one does nothing, so a `finally` may `ignore`. */
export interface Token {
  /** Whose share it is of. */
  readonly priority: Priority
  /** It ended well: its time is a sample. */
  success(): void
  /** It ended in a way that says nothing of the backend (an error of our own, an abort). */
  ignore(): void
  /** The backend refused it or did not answer in time. */
  dropped(): void
}

/** What `inspect()` of a limiter returns. */
export interface LimiterState {
  /** The name of the limit. */
  readonly algorithm: string
  /** In force, in whole slots. */
  readonly limit: number
  /** What was learnt, before the cap. */
  readonly learntLimit: number
  /** Calls that run. */
  readonly inFlight: number
  /** Calls that run, by priority. */
  readonly inFlightBy: PerPriority<number>
  /** Callers that wait, by priority. */
  readonly waiting: PerPriority<number>
  /** It gives no more tokens. */
  readonly closed: boolean
}

class Slot implements Token {
  readonly priority: Priority
  readonly startedMs: number
  /** Undefined once the slot is free again. */
  #end: ((slot: Slot, dropped: boolean | undefined) => void) | undefined

  constructor(priority: Priority, startedMs: number, end: (slot: Slot, dropped: boolean | undefined) => void) {
    this.priority = priority
    this.startedMs = startedMs
    this.#end = end
  }

  success(): void {
    this.#finish(false)
  }

  ignore(): void {
    this.#finish(undefined)
  }

  dropped(): void {
    this.#finish(true)
  }

  #finish(dropped: boolean | undefined): void {
    const end = this.#end
    this.#end = undefined
    end?.(this, dropped)
  }
}

const anyCap = { min: 0, max: Infinity }
const noOptions: LimiterRunOptions = Object.freeze({})

/**
 * Bounds how many are in flight by a limit, fixed or learnt. In flight never grows past the limit in force; one that
 * falls lets what runs end. Who waits is served by shares between priorities, first come first served within one.
 */
export class Limiter implements Disposable {
  readonly #clock: Clock
  readonly #limit: Limit
  /** A number learns nothing: no sample, and no look at the clock, is needed for it. */
  readonly #learns: boolean
  readonly #shares: Shares
  readonly #cap: () => number
  readonly #isSaturated: () => boolean
  readonly #maxWaiting: number
  readonly #onLimit: ((change: LimitChange) => void) | undefined
  readonly #inFlight: Record<Priority, number> = { high: 0, medium: 0, low: 0 }
  readonly #waiters: PerPriority<Waiters<undefined>>
  #state: LimitState
  #closedBy: Error | undefined

  constructor(options: LimiterOptions) {
    this.#clock = options.clock ?? systemClock
    const { limit } = options
    this.#learns = typeof limit === 'object' && limit !== null
    this.#limit = typeof limit === 'object' && limit !== null ? limit : fixedLimit(limit)
    this.#state = this.#limit.start()
    this.#shares = requireShares(options.shares ?? defaultShares)
    this.#cap = options.cap ?? (() => Infinity)
    this.#isSaturated = options.isSaturated ?? (() => false)
    this.#maxWaiting = requireInteger('maxWaiting', options.maxWaiting ?? 1_000, { min: 0 })
    this.#onLimit = options.onLimit
    this.#waiters = perPriority(() => new Waiters(this.#clock))
  }

  /** In force: the learnt limit in whole slots, at most the cap, at least 1. */
  get limit(): number {
    return Math.max(1, Math.floor(Math.min(this.#state.limit, this.#capNow())))
  }

  /** Calls that run. */
  get inFlight(): number {
    return this.#inFlight.high + this.#inFlight.medium + this.#inFlight.low
  }

  /** Callers that wait. */
  get waiting(): number {
    return this.#waiters.high.length + this.#waiters.medium.length + this.#waiters.low.length
  }

  /** A slot at once, or undefined: at the limit, where anyone waits, after close. */
  tryAcquire(priority: Priority = 'medium'): Token | undefined {
    requireOneOf('priority', priority, priorities)
    if (this.#closedBy || this.waiting > 0 || this.inFlight >= this.limit) return undefined
    this.#inFlight[priority]++
    return this.#newToken(priority)
  }

  /**
   * Waits for a token.
   * @throws BackpressureError, ClosedError, or the signal's reason
   */
  async acquire(options: LimiterAcquireOptions = noOptions): Promise<Token> {
    requireCall(options)
    const { priority = 'medium' } = options
    const token = this.tryAcquire(priority)
    if (token) return token
    await this.#wait(priority, options)
    return this.#newToken(priority)
  }

  /** Runs work in a slot. What it throws is passed on, and is no sample unless `isDrop` says it was a drop. */
  async run<R>(work: () => R | PromiseLike<R>, options: LimiterRunOptions = noOptions): Promise<R> {
    // As `acquire` does it, but without a promise of its own in between.
    requireFunction('work', work)
    requireCall(options)
    const { priority = 'medium', isDrop } = options
    let token = this.tryAcquire(priority)
    if (token === undefined) {
      await this.#wait(priority, options)
      token = this.#newToken(priority)
    }
    try {
      const result = await work()
      token.success()
      return result
    } catch (error) {
      if (isDrop && askSafely(isDrop, error, { name: 'isDrop', otherwise: false })) token.dropped()
      throw error
    } finally {
      token.ignore()
    }
  }

  /** Starts learning anew from this limit (an emergency, a recovery). */
  restart(limit?: number): void {
    if (limit !== undefined) requireNumber('limit', limit, { min: 1 })
    this.#change(this.#limit.start(limit))
    this.refresh()
  }

  /** Looks again whether somebody can go: for a cap that has risen. */
  refresh(): void {
    while (this.waiting > 0 && this.inFlight < this.limit) {
      const priority = nextByShare(this.#waiters, this.#inFlight, this.limit, this.#shares)
      if (priority === undefined) return
      this.#inFlight[priority]++
      this.#waiters[priority].resolveFirst()
    }
  }

  inspect(): LimiterState {
    return {
      algorithm: this.#limit.name,
      limit: this.limit,
      learntLimit: this.#state.limit,
      inFlight: this.inFlight,
      inFlightBy: { ...this.#inFlight },
      waiting: this.#waitingCounts(),
      closed: this.#closedBy !== undefined,
    }
  }

  /** Rejects whoever waits or comes; what is in flight can end. Idempotent. */
  close(error: Error = new ClosedError('the limiter')): void {
    if (this.#closedBy) return
    this.#closedBy = error
    for (const priority of priorities) this.#waiters[priority].rejectAll(error)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #wait(priority: Priority, { signal, timeoutMs }: LimiterAcquireOptions): Promise<void> {
    if (this.#closedBy) throw this.#closedBy
    if (this.waiting >= this.#maxWaiting)
      throw this.#refusal('waiting_full', `${this.#maxWaiting} callers wait already`)
    const waiters = this.#waiters[priority]
    if (timeoutMs === undefined) return waiters.wait(undefined, signal && { signal })
    const timeoutError = (): Error => this.#refusal('timeout_drop', `No slot within ${timeoutMs} ms`)
    if (timeoutMs === 0) throw timeoutError()
    return waiters.wait(undefined, { signal, timeoutMs, timeoutError })
  }

  #newToken(priority: Priority): Token {
    return new Slot(priority, this.#learns ? this.#clock.monotonicMs() : 0, this.#endSlot)
  }

  readonly #endSlot = (slot: Slot, dropped: boolean | undefined): void => {
    this.#end(slot.priority, slot.startedMs, dropped)
  }

  #end(priority: Priority, startedMs: number, dropped: boolean | undefined): void {
    try {
      if (this.#learns && dropped !== undefined) {
        const rttMs = this.#clock.monotonicMs() - startedMs
        this.#learn({ rttMs, inFlight: this.inFlight, dropped, saturated: this.#isSaturated() })
      }
    } finally {
      this.#inFlight[priority]--
      this.refresh()
    }
  }

  #learn(sample: LimitSample): void {
    const before = this.#state
    const cap = Math.max(1, this.#capNow())
    const next = this.#limit.next(before, sample)
    const isCutAboveCap = next.limit < before.limit && cap < before.limit
    // A cut starts from what was in force: far above the cap nobody would feel it.
    const fromCap = isCutAboveCap ? this.#limit.next({ ...before, limit: cap }, sample) : next
    this.#change(fromCap.limit < cap ? fromCap : next)
  }

  #capNow(): number {
    return requireNumber('cap', this.#cap(), anyCap)
  }

  #change(next: LimitState): void {
    const from = Math.floor(this.#state.limit)
    this.#state = next
    const to = Math.floor(next.limit)
    if (from !== to) callListener(this.#onLimit, { from, to }, 'limit')
  }

  #waitingCounts(): PerPriority<number> {
    return perPriority((priority) => this.#waiters[priority].length)
  }

  #refusal(reason: 'waiting_full' | 'timeout_drop', message: string): BackpressureError {
    return new BackpressureError(reason, message, { ...this.inspect() })
  }
}

function requireCall({ signal, timeoutMs }: LimiterAcquireOptions): void {
  if (timeoutMs !== undefined) requireNumber('timeoutMs', timeoutMs, { min: 0, max: Infinity })
  signal?.throwIfAborted()
}
