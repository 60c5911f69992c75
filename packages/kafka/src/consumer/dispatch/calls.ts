import { type Clock } from '@sluice/flow'
import { promiseOf, type Emitter } from '@sluice/flow/internal'
import { Deadlines } from './deadlines.ts'
import { HandlerTimeoutError } from '../errors.ts'
import type { ConsumerEvents } from '../events.ts'
import { HandlingTimes } from './handling-times.ts'
import type { HandlerContext, Invocation } from './invocation.ts'
import type { ConsumerSettings } from '../options.ts'
import type { Slots } from './slots.ts'
import type { ProcessTracing } from './process-tracing.ts'
import type { ConsumerDispatcherState } from '../consumer-state.ts'

export interface CallsOptions {
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly handler: (input: never, context: HandlerContext) => unknown
  readonly slots: Slots
  /** Undefined: nobody traces. */
  readonly tracing?: ProcessTracing | undefined
  /** A call that had to be waited for has ended well. */
  readonly onDone: (invocation: Invocation) => void
  /** A call has thrown or rejected, or was abandoned. */
  readonly onFailed: (invocation: Invocation, error: unknown) => void
}

/** Calls the handler, and watches the calls that are out. A handler that returns no promise costs none. */
export class Calls {
  readonly #options: CallsOptions
  readonly #handler: (input: unknown, context: HandlerContext) => unknown
  readonly #tracing: ProcessTracing | undefined
  readonly #deadlines: Deadlines
  readonly #times = new HandlingTimes()
  #abandoned = 0
  #handledRecords = 0

  constructor(options: CallsOptions) {
    const { clock, settings } = options
    this.#options = options
    this.#handler = options.handler as (input: unknown, context: HandlerContext) => unknown
    this.#tracing = options.tracing
    this.#deadlines = new Deadlines({
      clock,
      handlerTimeoutMs: settings.handlerTimeoutMs,
      abandonAfterMs: settings.abandonAfterMs,
      onTimeout: (invocation) => this.#timeOut(invocation),
      onAbandon: (invocation) => this.#abandon(invocation),
    })
  }

  /** Handlers that were given up and have not settled. */
  get abandoned(): number {
    return this.#abandoned
  }

  /** Of those that are or were waited for lately; 0: none. */
  get meanHandlingMs(): number {
    return this.#times.meanMs(this.#deadlines.ages())
  }

  /** True: it is done. False: it has failed, or is to be waited for. */
  call(invocation: Invocation): boolean {
    const token = this.#options.slots.token()
    let result: unknown
    try {
      result =
        this.#tracing === undefined
          ? this.#handler(invocation.input, invocation)
          : this.#tracing.call(this.#handler, invocation)
    } catch (error) {
      token?.ignore()
      invocation.span?.fail(error)
      this.#options.onFailed(invocation, error)
      return false
    }
    const promise = promiseOf(result)
    if (promise === undefined) {
      token?.ignore()
      invocation.span?.end()
      this.#handledRecords += invocation.recordCount
      return true
    }
    invocation.token = token
    this.#deadlines.add(invocation)
    promise.then(
      () => this.#settle(invocation, false, undefined),
      (error: unknown) => this.#settle(invocation, true, error),
    )
    return false
  }

  /** Its result is of no interest any more, whenever it comes. */
  giveUp(invocation: Invocation): void {
    this.#deadlines.delete(invocation)
    invocation.token?.dropped()
    invocation.span?.fail(invocation.abortedBy)
    invocation.abandoned = true
    this.#abandoned++
    this.#options.events.emit('handlerAbandoned', { ...invocation.place, attempt: invocation.attempt })
  }

  /** Frees timers. What still runs is no longer watched. */
  close(): void {
    this.#deadlines.stop()
  }

  inspect(): Pick<ConsumerDispatcherState, 'abandoned' | 'handledRecords' | 'oldest'> {
    const oldest = this.#deadlines.oldest()
    return {
      abandoned: this.#abandoned,
      handledRecords: this.#handledRecords,
      oldest: oldest && {
        ...oldest.place,
        attempt: oldest.attempt,
        runningMs: this.#options.clock.monotonicMs() - oldest.startedAtMs,
      },
    }
  }

  #settle(invocation: Invocation, failed: boolean, error: unknown): void {
    if (invocation.abandoned) {
      this.#abandoned--
      return
    }
    this.#deadlines.delete(invocation)
    this.#times.record(this.#options.clock.monotonicMs() - invocation.startedAtMs)
    if (failed) {
      const cause = invocation.abortedBy ?? error
      invocation.token?.ignore()
      invocation.span?.fail(cause)
      this.#options.onFailed(invocation, cause)
      return
    }
    invocation.token?.success()
    invocation.span?.end()
    this.#handledRecords += invocation.recordCount
    this.#options.onDone(invocation)
  }

  #timeOut(invocation: Invocation): void {
    const { place, attempt } = invocation
    const timeoutMs = this.#options.settings.handlerTimeoutMs
    invocation.token?.dropped()
    invocation.abort(new HandlerTimeoutError(place, timeoutMs))
    this.#options.events.emit('handlerTimedOut', { ...place, attempt, timeoutMs })
  }

  /** It had its time to react to its signal: its lane goes on without it. */
  #abandon(invocation: Invocation): void {
    this.giveUp(invocation)
    this.#options.onFailed(invocation, invocation.abortedBy)
  }
}
