import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import { Calls } from './calls.ts'
import type { OutputSink } from '../commit/commit-route.ts'
import type { Output } from '../../outgoing/output.ts'
import { Drains } from './drains.ts'
import { AbandonedHandlersError } from '../errors.ts'
import type { ConsumerEvents } from '../events.ts'
import type { FailureRoute, Next } from '../failure/failure-route.ts'
import type { HandlerContext, Invocation } from './invocation.ts'
import { KeyLanes } from './key-lanes.ts'
import { LoopTurn } from './loop-turn.ts'
import type { ConsumerSettings } from '../options.ts'
import type { Order, OrderHost } from './order.ts'
import type { AssignedPartition } from '../partition.ts'
import { PartitionTurns } from './partition-turns.ts'
import { Slots } from './slots.ts'
import type { ProcessTracing } from './process-tracing.ts'
import type { ConsumerDispatcherState } from '../consumer-state.ts'

export interface DispatcherOptions {
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly handler: (input: never, context: HandlerContext) => unknown
  /** The handler takes lists of records. */
  readonly batch: boolean
  /** Spans for the calls of the handler. Default: none. */
  readonly tracing?: ProcessTracing | undefined
  readonly route: FailureRoute
  /** Takes what comes of records. Default: nothing does. */
  readonly outputs?: OutputSink | undefined
  /** Records of one partition before the next one's turn, and at most in one batch. */
  readonly pollRecords: () => number
  /** Whether anybody takes what begins. Default: always. */
  readonly hasDemand?: (() => boolean) | undefined
  /** Whether the membership is sure enough to begin anything. */
  readonly mayDispatch: () => boolean
  /** Called once, with what makes it senseless to go on. */
  readonly onFatal: (error: Error) => void
}

/**
 * Brings records to the handler: the order says which, `Slots` how many at once, `Calls` makes the calls and watches
 * them, and what fails goes by the `FailureRoute`.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #order: Order
  readonly #slots: Slots
  readonly #calls: Calls
  readonly #turn: LoopTurn
  readonly #drains: Drains
  /** Those that are on their way elsewhere, and what ends the wait for them. */
  readonly #diverting = new Map<Invocation, AbortController>()
  #isScheduled = false
  #stopped = false

  constructor(options: DispatcherOptions) {
    const { settings, clock } = options
    this.#options = options
    this.#turn = new LoopTurn(clock)
    this.#drains = new Drains(clock, (partition) => this.isBusy(partition))
    const runnable = (): number => this.#slots.running + this.#order.runnable()
    this.#slots = new Slots({ concurrency: settings.concurrency, clock, runnable, hasDemand: options.hasDemand })
    this.#calls = new Calls({
      ...options,
      slots: this.#slots,
      onDone: (invocation) => this.#done(invocation),
      onFailed: (invocation, error) => this.#failed(invocation, error),
    })
    this.#order = this.#newOrder()
  }

  /** Handlers that could run beside those that do. */
  get freeSlots(): number {
    return Math.max(0, this.#slots.limit - this.#slots.running)
  }

  get meanHandlingMs(): number {
    return this.#calls.meanHandlingMs
  }

  /** The partition has something to handle. */
  offer(partition: AssignedPartition): void {
    if (!this.#stopped) this.#order.offer(partition)
  }

  /** Nothing of the partition is to begin until it is resumed. */
  paused(partition: AssignedPartition): void {
    this.#order.paused(partition)
  }

  resumed(partition: AssignedPartition): void {
    if (!this.#stopped) this.#order.resumed(partition)
  }

  /** There may be room to open batches. */
  unpark(): void {
    this.#order.unpark()
  }

  /** Whether anything of the partition is out. */
  isBusy(partition: AssignedPartition): boolean {
    return this.#order.out(partition).length > 0
  }

  /** Looks for work at the next turn of the event loop. */
  schedule(): void {
    if (this.#isScheduled || this.#stopped) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#turn.begin()
      this.#order.pump()
    })
  }

  /** Begins nothing new, for good. */
  stop(): void {
    this.#stopped = true
    this.#order.clear()
  }

  /**
   * Drops what has not started and waits for what is out; at `timeoutMs` aborts it, and after `abortGraceMs` gives up.
   * Resolves with the calls that were given up. The partitions must not be active any more.
   */
  async drain(
    partitions: readonly AssignedPartition[],
    timeoutMs: number,
    reason: (p: AssignedPartition) => Error,
    abortGraceMs: number = ABORT_GRACE_MS,
  ) {
    for (const partition of partitions) this.#order.dropWaiting(partition)
    const calls = partitions.flatMap((partition) => this.#order.out(partition))
    await this.#drains.wait(partitions, timeoutMs)
    for (const partition of partitions) {
      for (const invocation of this.#order.out(partition)) this.#abort(invocation, reason(partition))
    }
    await this.#drains.wait(partitions, abortGraceMs)
    for (const partition of partitions) {
      for (const invocation of this.#order.out(partition)) this.#abandonDrained(invocation)
      // One that failed meanwhile waits for another attempt that is not to come.
      this.#order.dropWaiting(partition)
    }
    // By this drain, by another of the same partition, or by its own deadline.
    return calls.filter(({ abandoned }) => abandoned)
  }

  /** Frees timers. What still runs is no longer watched. */
  close(): void {
    this.stop()
    this.#calls.close()
  }

  inspect(): ConsumerDispatcherState {
    return {
      ...this.#slots.inspect(),
      ...this.#order.inspect(),
      diverting: this.#diverting.size,
      ...this.#calls.inspect(),
    }
  }

  #newOrder(): Order {
    const { settings, batch, clock, events, mayDispatch, pollRecords } = this.#options
    const host: OrderHost = {
      settings,
      batch,
      pollRecords,
      slots: this.#slots,
      calls: this.#calls,
      turn: this.#turn,
      mayBegin: () => !this.#mustStop() && mayDispatch(),
      mustStop: () => this.#mustStop(),
      schedule: () => this.schedule(),
      finish: (invocation) => this.#finish(invocation),
      ended: (partition) => this.#drains.ended(partition),
      failed: (invocation, error) => this.#failed(invocation, error),
      fatal: (error) => this.#fatal(error),
    }
    return settings.order === 'partition' ? new PartitionTurns(host, clock) : new KeyLanes(host, clock, events)
  }

  #mustStop(): boolean {
    return this.#stopped || this.#options.outputs?.isFull === true
  }

  #finish({ partition, start, end, input, outputs }: Invocation): void {
    partition.log!.finish(start, end, input)
    if (outputs !== undefined && outputs.length > 0) this.#options.outputs?.finished(partition, start, outputs)
  }

  #done(invocation: Invocation): void {
    this.#order.done(invocation)
    this.#drains.ended(invocation.partition)
  }

  #failed(invocation: Invocation, error: unknown): void {
    const { partition, records, attempt, postponed } = invocation
    if (partition.phase !== 'active' || this.#stopped) return this.#left(invocation)
    const { concurrency } = this.#options.settings
    if (typeof concurrency === 'number' && this.#calls.abandoned > concurrency) {
      this.#left(invocation)
      return this.#fatal(new AbandonedHandlersError(this.#calls.abandoned, concurrency))
    }
    const failure = { partition, records, attempt, postponed, error }
    let next: Next
    try {
      next = this.#options.route.next(failure)
    } catch (cause) {
      this.#left(invocation)
      return this.#fatal(cause as Error)
    }
    if (next.again) {
      invocation.isPostponed = next.isPostponed === true
      this.#order.again(invocation, next.delayMs)
      const event = { ...invocation.place, attempt, retryInMs: next.delayMs, error }
      this.#within(invocation, () => this.#options.events.emit('handlerFailed', event))
    } else {
      this.#order.hold(invocation)
      const stop = new AbortController()
      this.#diverting.set(invocation, stop)
      this.#within(invocation, () => this.#options.route.divert(failure, stop.signal)).then(
        (outputs) => this.#diverted(invocation, outputs),
        (cause: unknown) => this.#divertFailed(invocation, cause as Error),
      )
    }
    this.#drains.ended(partition)
    this.schedule()
  }

  /** In the trace of the call: retry records, dead letters and what listeners log of a failure belong there. */
  #within<T>(invocation: Invocation, work: () => T): T {
    const { tracing } = this.#options
    return tracing === undefined ? work() : tracing.within(invocation, work)
  }

  #diverted(invocation: Invocation, outputs: readonly Output[] | void): void {
    if (!this.#diverting.delete(invocation)) return
    invocation.outputs = outputs ?? undefined
    this.#done(invocation)
  }

  #divertFailed(invocation: Invocation, error: Error): void {
    if (!this.#diverting.delete(invocation)) return
    const isWanted = invocation.partition.phase === 'active'
    if (!isWanted) invocation.abandoned = true
    this.#left(invocation)
    if (isWanted) this.#fatal(error)
  }

  #left(invocation: Invocation): void {
    this.#order.left(invocation)
    this.#drains.ended(invocation.partition)
    this.schedule()
  }

  #abort(invocation: Invocation, reason: Error): void {
    const diverting = this.#diverting.get(invocation)
    if (diverting) diverting.abort(reason)
    else invocation.abort(reason)
  }

  #abandonDrained(invocation: Invocation): void {
    if (this.#diverting.delete(invocation)) invocation.abandoned = true
    else this.#calls.giveUp(invocation)
    this.#left(invocation)
  }

  #fatal(error: Error): void {
    this.stop()
    this.#options.onFatal(error)
  }
}

/** After an abort: time for a handler to see it and to end by itself. */
const ABORT_GRACE_MS = 500
