import { systemClock } from '../clock.ts'
import type { Clock, Timer } from '../clock.ts'
import { BackpressureError, ClosedError, RateLimitError } from '../errors.ts'
import { Waiters } from '../gate/waiters.ts'
import { requireInteger, requireNumber, requireOneOf } from '../require.ts'

/** What a rate limiter takes. */
export interface RateLimiterOptions {
  /** How many elements are admitted in `perMs`. At least 1. */
  readonly elements: number
  /** The time in which `elements` are admitted. From 1. Default 1,000. */
  readonly perMs?: number
  /** How many may be admitted at once after a pause. From 1. Default: `elements`. */
  readonly burst?: number
  /** shaping (default): who is too fast waits. enforcing: who is too fast gets a `RateLimitError`. */
  readonly mode?: 'shaping' | 'enforcing'
  /** Callers that may wait at a time. From 0. Default 1,000. */
  readonly maxWaiting?: number
  readonly clock?: Clock
}

/** What `inspect()` of a rate limiter returns. */
export interface RateLimiterState {
  /** What could be taken at once now; may have a fraction. */
  readonly tokens: number
  /** How many may be admitted at once after a pause. */
  readonly burst: number
  /** How many are admitted per second. */
  readonly ratePerSecond: number
  /** Callers that wait. */
  readonly waiting: number
}

type Rate = Pick<RateLimiterOptions, 'elements' | 'perMs' | 'burst' | 'mode'>

/** The rate with its defaults, if it makes sense. */
export function requireRate({ elements, perMs = 1_000, burst = elements, mode = 'shaping' }: Rate): Required<Rate> {
  requireNumber('elements', elements, { min: 1 })
  requireNumber('perMs', perMs, { min: 1 })
  requireNumber('burst', burst, { min: 1 })
  requireOneOf('mode', mode, ['shaping', 'enforcing'])
  return { elements, perMs, burst, mode }
}

/** Parts of a token by which sums of fractions may be off. */
const ROUNDING = 1e-9

/**
 * A token bucket: it fills evenly at `elements` per `perMs` up to `burst`, and each element takes what it costs. Over
 * any time t at most burst + t x rate elements pass. Who waits is served first come first served.
 */
export class RateLimiter implements Disposable {
  readonly #clock: Clock
  readonly #tokensPerMs: number
  readonly #burst: number
  readonly #mode: 'shaping' | 'enforcing'
  readonly #maxWaiting: number
  /** What each in line costs. */
  readonly #waiters: Waiters<number>
  #tokens: number
  #filledMs: number
  #timer: Timer | undefined
  #closedBy: Error | undefined

  constructor(options: RateLimiterOptions) {
    const { elements, perMs, burst, mode } = requireRate(options)
    this.#tokensPerMs = elements / perMs
    this.#burst = burst
    this.#mode = mode
    this.#maxWaiting = requireInteger('maxWaiting', options.maxWaiting ?? 1_000, { min: 0 })
    this.#clock = options.clock ?? systemClock
    this.#waiters = new Waiters(this.#clock, () => this.#serve())
    this.#tokens = this.#burst
    this.#filledMs = this.#clock.monotonicMs()
  }

  /** Passes at once or not at all; never past somebody who waits. */
  tryAcquire(cost = 1): boolean {
    this.#requireCost(cost)
    if (this.#closedBy || this.#waiters.length > 0) return false
    return this.#take(cost)
  }

  /** Passes as soon as the rate allows it (shaping), or at once or not at all (enforcing). */
  async acquire({
    cost = 1,
    signal,
  }: { readonly cost?: number; readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    signal?.throwIfAborted()
    if (this.tryAcquire(cost)) return
    if (this.#closedBy) throw this.#closedBy
    if (this.#mode === 'enforcing') throw new RateLimitError(this.#msUntil(cost), { cost, ...this.inspect() })
    if (this.#waiters.length >= this.#maxWaiting) {
      throw new BackpressureError('waiting_full', `${this.#maxWaiting} callers wait already`, { ...this.inspect() })
    }
    const waiting = this.#waiters.wait(cost, { signal })
    if (this.#timer === undefined) this.#arm()
    await waiting
  }

  inspect(): RateLimiterState {
    const elapsedMs = this.#clock.monotonicMs() - this.#filledMs
    return {
      tokens: Math.min(this.#burst, this.#tokens + elapsedMs * this.#tokensPerMs),
      burst: this.#burst,
      ratePerSecond: this.#tokensPerMs * 1_000,
      waiting: this.#waiters.length,
    }
  }

  /** Rejects whoever waits or comes. Idempotent. */
  close(error: Error = new ClosedError('the rate limiter')): void {
    if (this.#closedBy) return
    this.#closedBy = error
    this.#disarm()
    this.#waiters.rejectAll(error)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #take(cost: number): boolean {
    this.#tokens = this.inspect().tokens
    this.#filledMs = this.#clock.monotonicMs()
    if (this.#tokens + ROUNDING < cost) return false
    this.#tokens = Math.max(0, this.#tokens - cost)
    return true
  }

  #serve(): void {
    this.#disarm()
    for (let cost = this.#waiters.peek(); cost !== undefined && this.#take(cost); cost = this.#waiters.peek()) {
      this.#waiters.resolveFirst()
    }
    this.#arm()
  }

  /** One timer, for the first in line. */
  #arm(): void {
    const cost = this.#waiters.peek()
    if (cost !== undefined) this.#timer = this.#clock.setTimeout(() => this.#serve(), this.#msUntil(cost))
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #msUntil(cost: number): number {
    return Math.max(0, (cost - this.inspect().tokens) / this.#tokensPerMs)
  }

  /** More than the bucket can ever hold would wait for ever. */
  #requireCost(cost: number): void {
    if (!(cost > 0 && cost <= this.#burst)) requireNumber('cost', cost, { min: Number.MIN_VALUE, max: this.#burst })
  }
}
