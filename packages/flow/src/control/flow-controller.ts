import type { IBreaker } from 'cockatiel'
import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { Emitter } from '../emitter.ts'
import { ClosedError } from '../errors.ts'
import { Limiter } from '../limiter/limiter.ts'
import type { LimitChange, Token } from '../limiter/limiter.ts'
import type { Limit } from '../limits/limit.ts'
import { stepLimit } from '../limits/step.ts'
import { askSafely, callListener } from '../listener.ts'
import type { QueueEntry } from '../queue/entries.ts'
import { PriorityQueue } from '../queue/priority-queue.ts'
import type { PriorityQueueState } from '../queue/priority-queue.ts'
import type { Priority } from '../queue/priority.ts'
import { requireFunction, requireInteger, requireNumber } from '../require.ts'
import { Breaker } from './breaker.ts'
import type { BreakerInspection, BreakerPermit, BreakerReason, BreakerStateName, BreakerTransition } from './breaker.ts'

/** What a FlowController takes. */
export interface FlowControllerOptions {
  /** Learns the capacity. Default `stepLimit()`: a window of 100, - 10 over 1,000 ms, + 5 under 100 ms, 10..200. */
  readonly limit?: Limit
  /** A load over this multiple of the capacity is an overload. From 1. Default 1.5. */
  readonly overloadFactor?: number
  /** The capacity, in calls, from an overload until recovery. From 1. Default 10. */
  readonly emergencyCapacity?: number
  /** Items in work and queued at most. From 1. Default 1,000. */
  readonly maxRecords?: number
  /** How long an overload or failures keep all but high out. From 1. Default 60,000. */
  readonly openMs?: number
  /** Calls that must succeed before all is as before. From 1. Default 10. */
  readonly trialCalls?: number
  /** A trial that takes longer has failed. From 0; Infinity: never. Default 1,000. */
  readonly slowTrialMs?: number
  /** When failures open the breaker. Default: more than half of the last 100 failed. */
  readonly strategy?: IBreaker
  /** Which errors of the work count as failures. Default: all. */
  readonly isFailure?: (error: unknown) => boolean
  /** Called when an emergency begins. */
  readonly onAlert?: (alert: FlowAlert) => void
  readonly clock?: Clock
}

/** An overload or failures: the controller lets only high work in from here on. */
export interface FlowAlert {
  readonly message: string
  /** Why. */
  readonly reason: BreakerReason
  /** Calls that ran and waited. */
  readonly load: number
  /** How many calls were allowed at once. */
  readonly capacity: number
}

/** A FlowController changed its state. */
export interface FlowTransition extends BreakerTransition {
  /** Calls that ran and waited. */
  readonly load: number
  /** Before the transition. */
  readonly capacity: number
}

/** The events of a FlowController. */
export interface FlowControllerEvents extends Record<string, unknown> {
  /** It changed its state. */
  transition: FlowTransition
  /** The capacity was learned anew. */
  capacity: LimitChange
}

/** What `run` takes beside the work. */
export interface RunOptions {
  /** Default medium. */
  readonly priority?: Priority
  /** Gives up while it is queued; work that has begun is the caller's to stop. */
  readonly signal?: AbortSignal | undefined
}

/** What `inspect()` of a FlowController returns. */
export interface FlowControllerState {
  readonly state: BreakerStateName
  /** Calls that run and wait. */
  readonly load: number
  /** How many calls may run at once. */
  readonly capacity: number
  /** Calls that run. */
  readonly running: number
  /** Calls that wait. */
  readonly queue: PriorityQueueState
  /** Whether calls are made, refused, or tried. */
  readonly breaker: BreakerInspection
}

interface Job {
  readonly work: () => unknown
  readonly permit: BreakerPermit | undefined
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
  stopListening: (() => void) | undefined
}

/**
 * Runs work within a capacity that follows the response times, and protects itself when that does not suffice. The load
 * is what runs, is queued or waits to be queued. Over `overloadFactor` times the capacity, or when too much fails: the
 * breaker opens, only high work stays (the rest is shed, each told), the capacity is `emergencyCapacity`, and the alert
 * is raised. After `openMs` trials decide: all well, and the capacity restarts at half of what it was; one failed or
 * slow, and it stays open. Every transition is an event with its reason; asking for the state changes nothing.
 */
export class FlowController implements Disposable {
  readonly #clock: Clock
  readonly #limiter: Limiter
  readonly #queue: PriorityQueue<Job>
  readonly #breaker: Breaker
  readonly #emitter = new Emitter<FlowControllerEvents>()
  readonly #overloadFactor: number
  readonly #emergencyCapacity: number
  readonly #slowTrialMs: number
  readonly #isFailure: (error: unknown) => boolean
  readonly #onAlert: ((alert: FlowAlert) => void) | undefined
  #capacityBefore: number
  #closedBy: Error | undefined

  constructor(options: FlowControllerOptions = {}) {
    const { clock = systemClock, limit = stepLimit(), maxRecords = 1_000, strategy, openMs, trialCalls } = options
    this.#clock = clock
    this.#overloadFactor = requireNumber('overloadFactor', options.overloadFactor ?? 1.5, { min: 1 })
    this.#emergencyCapacity = requireInteger('emergencyCapacity', options.emergencyCapacity ?? 10, { min: 1 })
    this.#slowTrialMs = requireNumber('slowTrialMs', options.slowTrialMs ?? 1_000, { min: 0, max: Infinity })
    this.#isFailure = options.isFailure ?? (() => true)
    this.#onAlert = options.onAlert
    this.#limiter = new Limiter({ limit, clock, onLimit: (change) => this.#emitter.emit('capacity', change) })
    this.#queue = new PriorityQueue<Job>({ maxRecords, clock, onShed: ({ entry, error }) => refuse(entry.item, error) })
    this.#breaker = new Breaker({
      clock,
      ...(strategy && { strategy }),
      ...(openMs !== undefined && { openMs }),
      ...(trialCalls !== undefined && { trialCalls }),
    })
    this.#capacityBefore = this.capacity
    this.#breaker.on('transition', (transition) => this.#onTransition(transition))
  }

  /** Calls that run and wait. */
  get load(): number {
    return this.#limiter.inFlight + this.#queue.length + this.#queue.waiting
  }

  /** How many calls may run at once. */
  get capacity(): number {
    return this.#limiter.limit
  }

  get state(): BreakerStateName {
    return this.#breaker.state
  }

  /** Whether more work would have to wait now. */
  get throttled(): boolean {
    return this.load >= this.capacity
  }

  /** Returns the function that takes the listener off again. */
  on<Name extends keyof FlowControllerEvents>(
    name: Name,
    listener: (event: FlowControllerEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener)
  }

  /**
   * Runs the work when its turn comes and gives its result. Rejects with a `CircuitOpenError` while only high work is
   * let in, with a `BackpressureError` when it was shed, and with whatever the work throws.
   */
  async run<R>(work: () => R | PromiseLike<R>, { priority = 'medium', signal }: RunOptions = {}): Promise<R> {
    requireFunction('work', work)
    signal?.throwIfAborted()
    if (this.#closedBy) throw this.#closedBy
    const permit = this.#breaker.tryEnter()
    if (permit === undefined && priority !== 'high') throw this.#breaker.openError()
    const { promise, resolve, reject } = Promise.withResolvers<R>()
    const job: Job = { work, permit, resolve, reject, stopListening: undefined }
    // Shed while its push is still on the way: the push rejects too, and one of the two is enough.
    promise.catch(() => {})
    await this.#enqueue(job, priority, signal)
    return promise
  }

  inspect(): FlowControllerState {
    return {
      state: this.state,
      load: this.load,
      capacity: this.capacity,
      running: this.#limiter.inFlight,
      queue: this.#queue.inspect(),
      breaker: this.#breaker.inspect(),
    }
  }

  /** Rejects what is queued and what comes; what runs goes on. Idempotent. */
  close(error: Error = new ClosedError('the flow controller')): void {
    if (this.#closedBy) return
    this.#closedBy = error
    this.#queue.close(error)
    this.#breaker.close(error)
    for (let entry = this.#queue.take(); entry; entry = this.#queue.take()) {
      refuse(entry.item, error)
      this.#queue.release(entry)
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #enqueue(job: Job, priority: Priority, signal: AbortSignal | undefined): Promise<void> {
    try {
      const pushing = this.#queue.push(job, { priority, signal })
      // Seen to at once, or a burst in one turn of the loop would be noticed only after all of it is in.
      this.#checkOverload()
      this.#pump()
      const entry = await pushing
      if (entry.state === 'queued' && signal) this.#listen(entry, signal)
    } catch (error) {
      refuse(job, error)
      throw error
    }
  }

  #listen(entry: QueueEntry<Job>, signal: AbortSignal): void {
    const onAbort = (): void => {
      refuse(entry.item, signal.reason)
      this.#queue.release(entry)
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort)
    entry.item.stopListening = () => signal.removeEventListener('abort', onAbort)
  }

  #checkOverload(): void {
    if (this.state === 'closed' && this.load > this.capacity * this.#overloadFactor) this.#breaker.trip('overload')
  }

  #pump(): void {
    while (this.#queue.length > 0) {
      const token = this.#limiter.tryAcquire()
      if (token === undefined) return
      const entry = this.#queue.take()
      if (entry === undefined) return token.ignore()
      // It fails only where a strategy or a limit of the caller's does.
      callListener(() => this.#execute(entry, token), undefined, 'strategy or limit')
    }
  }

  async #execute(entry: QueueEntry<Job>, token: Token): Promise<void> {
    const { work, resolve, reject, permit, stopListening } = entry.item
    const startedMs = this.#clock.monotonicMs()
    let hasFailed = false
    stopListening?.()
    try {
      resolve((await work()) as never)
    } catch (error) {
      hasFailed = askSafely(this.#isFailure, error, { name: 'isFailure', otherwise: true })
      reject(error)
    }
    try {
      this.#judge(permit, startedMs, hasFailed)
      // The time counts however the work ended; while the capacity is that of an emergency, there is nothing to learn.
      if (this.state === 'closed') token.success()
    } finally {
      token.ignore()
      this.#queue.release(entry)
      this.#pump()
    }
  }

  #judge(permit: BreakerPermit | undefined, startedMs: number, hasFailed: boolean): void {
    const isTooSlow = this.state === 'half-open' && this.#clock.monotonicMs() - startedMs > this.#slowTrialMs
    if (hasFailed || isTooSlow) permit?.failure()
    else permit?.success()
  }

  #onTransition(transition: BreakerTransition): void {
    const { load, capacity } = this
    this.#emitter.emit('transition', { ...transition, load, capacity })
    if (transition.to === 'open') this.#beginEmergency(transition, load, capacity)
    else if (transition.to === 'closed') this.#recover()
  }

  #beginEmergency({ from, reason }: BreakerTransition, load: number, capacity: number): void {
    if (from === 'closed') this.#capacityBefore = capacity
    this.#limiter.restart(this.#emergencyCapacity)
    this.#queue.retainOnly('high')
    const alert = { message: 'System overload detected', reason, load, capacity }
    if (from === 'closed') callListener(this.#onAlert, alert, 'alert')
  }

  #recover(): void {
    this.#limiter.restart(Math.max(this.#emergencyCapacity, Math.floor(this.#capacityBefore / 2)))
    this.#pump()
  }
}

function refuse(job: Job, error: unknown): void {
  job.stopListening?.()
  job.permit?.ignore()
  job.reject(error)
}
