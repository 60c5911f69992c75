import { Ring, type Clock, type Emitter } from '@sluice/flow'
import type { ConsumerRecord } from './consumer-record.ts'
import { Deadlines } from './deadlines.ts'
import { Drains } from './drains.ts'
import { AbandonedHandlersError, HandlerError, HandlerTimeoutError } from './errors.ts'
import type { ConsumerEvents } from './events.ts'
import { Invocation, type HandlerContext } from './invocation.ts'
import type { Lane } from './lane.ts'
import type { ConsumerSettings } from './options.ts'
import type { AssignedPartition } from './partition.ts'

export interface DispatcherOptions {
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly handler: (input: never, context: HandlerContext) => unknown
  /** The handler takes lists of records. */
  readonly batch: boolean
  /** Whether the membership is sure enough to begin anything. */
  readonly mayDispatch: () => boolean
  /** Called once, with what makes it senseless to go on. */
  readonly onFatal: (error: Error) => void
}

/** How long handlers may hold the event loop before sockets and timers have their turn. */
const LOOP_TURN_MS = 4
/** Calls in a row between two looks at the clock, once those before them were short. */
const MAX_CALLS_UNTIMED = 64

/**
 * Gives the lanes their slots: at most `concurrency` have one, each calls the handler for its records one after the
 * other, and after `maxPollRecords` the next lane in line has its turn. A handler that returns no promise costs none.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #settings: ConsumerSettings
  readonly #clock: Clock
  readonly #handler: (input: ConsumerRecord | readonly ConsumerRecord[], context: HandlerContext) => unknown
  readonly #ready = new Ring<AssignedPartition>()
  readonly #parked = new Set<AssignedPartition>()
  readonly #deadlines: Deadlines
  readonly #drains: Drains
  #running = 0
  #abandoned = 0
  #handledRecords = 0
  #scheduled = false
  #stopped = false
  #loopTurnStartMs = 0

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#clock = options.clock
    this.#handler = options.handler as (input: unknown, context: HandlerContext) => unknown
    this.#drains = new Drains(options.clock)
    this.#deadlines = new Deadlines({
      clock: options.clock,
      handlerTimeoutMs: options.settings.handlerTimeoutMs,
      abandonAfterMs: options.settings.abandonAfterMs,
      onTimeout: (invocation) => this.#timeOut(invocation),
      onAbandon: (invocation) => this.#abandon(invocation),
    })
  }

  /** The partition has something to handle. */
  offer(partition: AssignedPartition): void {
    const lane = partition.lane!
    if (lane.status !== 'idle' || this.#stopped) return
    lane.status = 'ready'
    this.#ready.push(partition)
    this.schedule()
  }

  /** The partition was paused: what it has open would only keep room from others. */
  paused({ lane }: AssignedPartition): void {
    if (lane !== undefined && lane.status !== 'running') lane.fold()
  }

  /** There may be room to open batches. */
  unpark(): void {
    for (const partition of this.#parked) {
      this.#parked.delete(partition)
      partition.lane!.status = 'idle'
      this.offer(partition)
    }
  }

  /** Looks for work at the next turn of the event loop. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#loopTurnStartMs = this.#clock.monotonicMs()
      this.#pump()
    })
  }

  /** Begins nothing new, for good. */
  stop(): void {
    this.#stopped = true
    this.#ready.clear()
    this.#parked.clear()
  }

  /**
   * Drops what has not started and waits for what runs; at `timeoutMs` aborts it, and after a moment gives up.
   * Resolves with the calls that were given up. The partitions must not be active any more.
   */
  async drain(partitions: readonly AssignedPartition[], timeoutMs: number, reason: (p: AssignedPartition) => Error) {
    for (const partition of partitions) this.#dropWaiting(partition)
    const running = partitions.filter(isRunning)
    const calls = running.flatMap((partition) => partition.lane!.invocation ?? [])
    await this.#drains.wait(running, timeoutMs)
    const late = running.filter(isRunning)
    for (const partition of late) partition.lane!.invocation?.abort(reason(partition))
    await this.#drains.wait(late, ABORT_GRACE_MS)
    for (const partition of late) if (isRunning(partition)) this.#abandonDrained(partition.lane!.invocation!)
    // One that failed meanwhile waits for another attempt that is not to come.
    for (const partition of running) this.#dropWaiting(partition)
    // By this drain, by another of the same partition, or by its own deadline.
    return calls.filter(({ abandoned }) => abandoned)
  }

  /** Frees timers. What still runs is no longer watched. */
  close(): void {
    this.stop()
    this.#deadlines.stop()
  }

  inspect() {
    const oldest = this.#deadlines.oldest()
    return {
      running: this.#running,
      ready: this.#ready.length,
      parked: this.#parked.size,
      abandoned: this.#abandoned,
      handledRecords: this.#handledRecords,
      oldest: oldest && {
        ...oldest.place,
        attempt: oldest.attempt,
        runningMs: this.#clock.monotonicMs() - oldest.startedAtMs,
      },
    }
  }

  #pump(): void {
    while (this.#running < this.#settings.concurrency && !this.#stopped) {
      if (!this.#options.mayDispatch()) return
      const partition = this.#ready.shift()
      if (partition === undefined) return
      const lane = partition.lane!
      if (lane.status !== 'ready') continue
      if (partition.mayHandle) this.#startTurn(partition)
      else lane.status = 'idle'
      if (this.#isLoopTurnOver()) return this.schedule()
    }
  }

  #isLoopTurnOver(): boolean {
    return this.#clock.monotonicMs() - this.#loopTurnStartMs >= LOOP_TURN_MS
  }

  #startTurn(partition: AssignedPartition): void {
    const lane = partition.lane!
    lane.status = 'running'
    lane.turnLeft = this.#settings.maxPollRecords
    this.#running++
    const waiting = lane.invocation
    if (waiting === undefined) return this.#goOn(partition, lane)
    const next = new Invocation(partition, waiting.input, waiting.attempt + 1)
    if (this.#call(next, lane)) this.#goOn(partition, lane)
  }

  /** Calls the handler until the turn is over, nothing is left, or it has to be waited for. */
  #goOn(partition: AssignedPartition, lane: Lane): void {
    let calls = 0
    let lookAt = 1
    while (lane.turnLeft > 0 && partition.mayHandle && !this.#stopped) {
      if (lane.mustWait) return this.#park(partition, lane)
      let input: ConsumerRecord | readonly ConsumerRecord[] | undefined
      try {
        input = this.#options.batch ? this.#takeBatch(lane) : lane.take()
      } catch (error) {
        return this.#fail(partition, lane, error as Error)
      }
      if (input === undefined) break
      lane.turnLeft -= this.#options.batch ? (input as readonly ConsumerRecord[]).length : 1
      if (!this.#call(new Invocation(partition, input, 1), lane)) return
      if (++calls < lookAt) continue
      if (this.#isLoopTurnOver()) break
      lookAt += Math.min(calls, MAX_CALLS_UNTIMED)
    }
    this.#endTurn(partition, lane)
  }

  #takeBatch(lane: Lane): readonly ConsumerRecord[] | undefined {
    const records: ConsumerRecord[] = []
    while (records.length < this.#settings.maxPollRecords && !lane.mustWait) {
      const record = lane.take()
      if (record === undefined) break
      records.push(record)
    }
    return records.length === 0 ? undefined : records
  }

  /** True when the handler is done already; else the lane goes on when it has settled. */
  #call(invocation: Invocation, lane: Lane): boolean {
    let result: unknown
    try {
      result = this.#handler(invocation.input, invocation)
    } catch (error) {
      this.#failed(invocation, lane, error)
      return false
    }
    if (!isThenable(result)) {
      this.#finish(invocation, lane)
      return true
    }
    lane.invocation = invocation
    this.#deadlines.add(invocation)
    result.then(
      () => this.#settle(invocation, lane, false, undefined),
      (error: unknown) => this.#settle(invocation, lane, true, error),
    )
    return false
  }

  #finish(invocation: Invocation, lane: Lane): void {
    lane.invocation = undefined
    this.#handledRecords += this.#options.batch ? (invocation.input as readonly ConsumerRecord[]).length : 1
    lane.finish()
  }

  #settle(invocation: Invocation, lane: Lane, failed: boolean, error: unknown): void {
    if (invocation.abandoned) {
      this.#abandoned--
      return
    }
    this.#deadlines.delete(invocation)
    const { partition } = invocation
    if (failed) return this.#failed(invocation, lane, invocation.abortedBy ?? error)
    this.#finish(invocation, lane)
    lane.settle()
    // Handlers that settle at once would otherwise keep the loop in its microtasks for ever.
    if (this.#isLoopTurnOver() || !this.#options.mayDispatch()) lane.turnLeft = 0
    this.#goOn(partition, lane)
    if (lane.status !== 'running') this.#pumpOrSchedule()
  }

  #pumpOrSchedule(): void {
    if (this.#ready.length === 0 || this.#scheduled) return
    if (this.#isLoopTurnOver()) this.schedule()
    else this.#pump()
  }

  #endTurn(partition: AssignedPartition, lane: Lane): void {
    this.#freeSlot(partition, lane)
    lane.settle()
    if (partition.paused) lane.fold()
    if (partition.mayHandle && lane.hasMore) {
      lane.status = 'ready'
      this.#ready.push(partition)
      this.schedule()
    }
  }

  #freeSlot(partition: AssignedPartition, lane: Lane): void {
    lane.status = 'idle'
    this.#running--
    this.#drains.freed(partition)
  }

  #park(partition: AssignedPartition, lane: Lane): void {
    this.#freeSlot(partition, lane)
    lane.status = 'parked'
    this.#parked.add(partition)
    lane.settle()
  }

  #failed(invocation: Invocation, lane: Lane, error: unknown): void {
    const { partition, attempt, place } = invocation
    lane.invocation = undefined
    if (partition.phase !== 'active' || this.#stopped) {
      this.#freeSlot(partition, lane)
    } else if (attempt >= this.#settings.attempts) {
      this.#fail(partition, lane, new HandlerError(place, attempt, error))
    } else {
      const retryInMs = Math.min(this.#settings.retryMaxMs, this.#settings.retryInitialMs * 2 ** (attempt - 1))
      this.#freeSlot(partition, lane)
      lane.invocation = invocation
      lane.status = 'backoff'
      lane.fold()
      invocation.retryTimer = this.#clock.setTimeout(() => this.#retry(partition, lane), retryInMs)
      this.#options.events.emit('handlerFailed', { ...place, attempt, retryInMs, error })
    }
    this.schedule()
  }

  #retry(partition: AssignedPartition, lane: Lane): void {
    lane.status = 'idle'
    this.offer(partition)
  }

  #fail(partition: AssignedPartition, lane: Lane, error: Error): void {
    lane.invocation = undefined
    this.#freeSlot(partition, lane)
    this.stop()
    this.#options.onFatal(error)
  }

  #timeOut(invocation: Invocation): void {
    const { place, attempt } = invocation
    const timeoutMs = this.#settings.handlerTimeoutMs
    invocation.abort(new HandlerTimeoutError(place, timeoutMs))
    this.#options.events.emit('handlerTimedOut', { ...place, attempt, timeoutMs })
  }

  /** It had its time to react to its signal: the lane goes on without it. */
  #abandon(invocation: Invocation): void {
    const { partition } = invocation
    this.#giveUp(invocation)
    if (this.#abandoned > this.#settings.concurrency) {
      this.#fail(partition, partition.lane!, new AbandonedHandlersError(this.#abandoned, this.#settings.concurrency))
    } else {
      this.#failed(invocation, partition.lane!, invocation.abortedBy)
    }
  }

  #abandonDrained(invocation: Invocation): void {
    const { partition } = invocation
    this.#deadlines.delete(invocation)
    this.#giveUp(invocation)
    partition.lane!.invocation = undefined
    this.#freeSlot(partition, partition.lane!)
    this.#pumpOrSchedule()
  }

  #giveUp(invocation: Invocation): void {
    invocation.abandoned = true
    this.#abandoned++
    this.#options.events.emit('handlerAbandoned', { ...invocation.place, attempt: invocation.attempt })
  }

  #dropWaiting(partition: AssignedPartition): void {
    const { lane } = partition
    if (lane === undefined) return
    lane.invocation?.retryTimer?.cancel()
    if (lane.status !== 'running') {
      lane.invocation = undefined
      lane.status = 'idle'
    }
    this.#parked.delete(partition)
    lane.drop()
  }
}

/** After an abort: time for a handler to see it and to end by itself. */
const ABORT_GRACE_MS = 500

const isRunning = ({ lane }: AssignedPartition): boolean => lane?.status === 'running'

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
}
