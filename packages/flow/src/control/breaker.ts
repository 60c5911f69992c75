import { CircuitState, CountBreaker } from 'cockatiel'
import type { IBackoff, IBackoffFactory, IBreaker } from 'cockatiel'
import { systemClock } from '../clock.ts'
import type { Clock, Timer } from '../clock.ts'
import { Emitter } from '../emitter.ts'
import { CircuitOpenError, ClosedError } from '../errors.ts'
import { Waiters } from '../gate/waiters.ts'
import { askSafely } from '../listener.ts'
import { requireInteger, requireNumber } from '../require.ts'

/** Whether calls are made, refused, or tried. */
export type BreakerStateName = 'closed' | 'open' | 'half-open'
/** Why a breaker changed its state. */
export type BreakerReason = 'failures' | 'trial_failed' | 'trials_passed' | 'open_time_over' | (string & {})

/** What a breaker takes. */
export interface BreakerOptions {
  /** When failures open it: a strategy of cockatiel. Default: more than half of the last 100 calls failed. */
  readonly strategy?: IBreaker
  /**
   * How long it stays open: milliseconds from 1, or a back-off of cockatiel for longer each time in a row. Default
   * 60,000.
   */
  readonly openMs?: number | IBackoffFactory<unknown>
  /** Calls that must succeed in half-open before it closes. From 1. Default 10. */
  readonly trialCalls?: number
  /** Which errors of `execute` count as failures. Default: all. */
  readonly isFailure?: (error: unknown) => boolean
  /** Callers of `ready` that may wait at a time. From 0. Default 1,000. */
  readonly maxWaiting?: number
  readonly clock?: Clock
}

/** A breaker changed its state. */
export interface BreakerTransition {
  /** The state before. */
  readonly from: BreakerStateName
  /** The state now. */
  readonly to: BreakerStateName
  /** Why. */
  readonly reason: BreakerReason
}

interface BreakerEvents extends Record<string, unknown> {
  transition: BreakerTransition
}

/** Leave to make one call. The first outcome counts, any later one does nothing. */
export interface BreakerPermit {
  /** The call succeeded. */
  success(): void
  /** The call failed. */
  failure(): void
  /** It says nothing about the other side; a trial may be made in its place. */
  ignore(): void
}

/** What `inspect()` of a breaker returns. */
export interface BreakerInspection {
  readonly state: BreakerStateName
  /** Until half-open; 0 unless open. */
  readonly openForMs: number
  /** Trials since it became half-open. */
  readonly trialsStarted: number
  /** Trials that succeeded since then. */
  readonly trialsPassed: number
  /** Callers of `ready` that wait. */
  readonly waiting: number
}

type State =
  | { readonly name: 'closed' }
  | { readonly name: 'open'; readonly untilMs: number; readonly timer: Timer }
  | { readonly name: 'half-open'; started: number; passed: number }

/**
 * closed --(failures | trip)--> open --(time over)--> half-open --(trials passed)--> closed
 *                                ^-------(a trial failed)-----------'
 *
 * A call that began in an earlier state says nothing in the present one, so its outcome is left out.
 */
export class Breaker implements Disposable {
  readonly #clock: Clock
  readonly #strategy: IBreaker
  readonly #openMs: number | IBackoffFactory<unknown>
  readonly #trialCalls: number
  readonly #isFailure: (error: unknown) => boolean
  readonly #maxWaiting: number
  readonly #waiters: Waiters<undefined>
  readonly #emitter = new Emitter<BreakerEvents>()
  #state: State = { name: 'closed' }
  #backoff: IBackoff<unknown> | undefined
  #closed = false

  constructor(options: BreakerOptions = {}) {
    const { openMs = 60_000, trialCalls = 10, maxWaiting = 1_000, clock = systemClock } = options
    if (typeof openMs === 'number') requireNumber('openMs', openMs, { min: 1 })
    this.#clock = clock
    this.#strategy = options.strategy ?? new CountBreaker({ threshold: 0.5, size: 100 })
    this.#openMs = openMs
    this.#trialCalls = requireInteger('trialCalls', trialCalls, { min: 1 })
    this.#maxWaiting = requireInteger('maxWaiting', maxWaiting, { min: 0 })
    this.#isFailure = options.isFailure ?? (() => true)
    this.#waiters = new Waiters(clock)
  }

  get state(): BreakerStateName {
    return this.#state.name
  }

  /** Returns the function that takes the listener off again. */
  on(name: 'transition', listener: (transition: BreakerTransition) => void): () => void {
    return this.#emitter.on(name, listener)
  }

  /** Undefined: open, or half-open with all trials under way. */
  tryEnter(): BreakerPermit | undefined {
    const state = this.#state
    if (state.name === 'open') return undefined
    if (state.name === 'half-open' && state.started++ >= this.#trialCalls) {
      state.started--
      return undefined
    }
    let isEnded = false
    const end = (settle: () => void): void => {
      if (!isEnded && this.#state === state) settle()
      isEnded = true
    }
    return {
      success: () => end(() => this.#success(state)),
      failure: () => end(() => this.#failure(state)),
      ignore: () => end(() => this.#ignore(state)),
    }
  }

  /** Makes the call, or throws a `CircuitOpenError` without trying. */
  async execute<R>(call: () => R | PromiseLike<R>): Promise<R> {
    const permit = this.tryEnter()
    if (permit === undefined) throw this.openError()
    try {
      const result = await call()
      permit.success()
      return result
    } catch (error) {
      if (askSafely(this.#isFailure, error, { name: 'isFailure', otherwise: true })) permit.failure()
      else permit.ignore()
      throw error
    }
  }

  /** Resolves when it is not open, for callers that would rather wait than fail. */
  async ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#closed) throw new ClosedError('the breaker')
    if (this.#state.name !== 'open') return
    if (this.#waiters.length >= this.#maxWaiting) throw this.openError()
    await this.#waiters.wait(undefined, { signal })
  }

  /** Opens it for a reason of the caller's, from any state; its time begins anew. */
  trip(reason: BreakerReason): void {
    if (this.#closed) return
    if (this.#state.name === 'open') this.#state.timer.cancel()
    const openMs = this.#nextOpenMs()
    const timer = this.#clock.setTimeout(
      () => this.#change({ name: 'half-open', started: 0, passed: 0 }, 'open_time_over'),
      openMs,
    )
    this.#change({ name: 'open', untilMs: this.#clock.monotonicMs() + openMs, timer }, reason)
  }

  /** What a call is refused with while it is open. */
  openError(): CircuitOpenError {
    const { openForMs, state } = this.inspect()
    return new CircuitOpenError(`The circuit is ${state}`, openForMs, { state })
  }

  inspect(): BreakerInspection {
    const state = this.#state
    return {
      state: state.name,
      openForMs: state.name === 'open' ? Math.max(0, state.untilMs - this.#clock.monotonicMs()) : 0,
      trialsStarted: state.name === 'half-open' ? state.started : 0,
      trialsPassed: state.name === 'half-open' ? state.passed : 0,
      waiting: this.#waiters.length,
    }
  }

  /** Leaves no timer and rejects whoever waits; the state stays what it is. Idempotent. */
  close(error: Error = new ClosedError('the breaker')): void {
    this.#closed = true
    if (this.#state.name === 'open') this.#state.timer.cancel()
    this.#waiters.rejectAll(error)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #success(state: State): void {
    if (state.name === 'closed') this.#strategy.success(CircuitState.Closed)
    if (state.name !== 'half-open' || ++state.passed < this.#trialCalls) return
    this.#strategy.success(CircuitState.HalfOpen)
    this.#backoff = undefined
    this.#change({ name: 'closed' }, 'trials_passed')
  }

  #failure(state: State): void {
    if (state.name === 'closed' && this.#strategy.failure(CircuitState.Closed)) this.trip('failures')
    else if (state.name === 'half-open' && this.#strategy.failure(CircuitState.HalfOpen)) this.trip('trial_failed')
    else this.#ignore(state)
  }

  #ignore(state: State): void {
    if (state.name === 'half-open') state.started--
  }

  #nextOpenMs(): number {
    if (typeof this.#openMs === 'number') return this.#openMs
    this.#backoff = (this.#backoff ?? this.#openMs).next(undefined)
    return this.#backoff.duration
  }

  #change(state: State, reason: BreakerReason): void {
    const from = this.#state.name
    this.#state = state
    if (state.name !== 'open') this.#waiters.resolveAll()
    this.#emitter.emit('transition', { from, to: state.name, reason })
  }
}
