import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { ClosedError, InvariantError } from '../errors.ts'
import { callListener } from '../listener.ts'
import { LinkedList } from '../linked-list.ts'
import { perPriority, priorities } from '../queue/priority.ts'
import type { PerPriority, Priority } from '../queue/priority.ts'
import { requireNumber, requireOneOf } from '../require.ts'
import { Lane, Task } from './lane.ts'
import type { LaneTask } from './lane.ts'
import type { LaneKey } from './order.ts'
import { ReadyHeap } from './ready-heap.ts'
import { StuckHeads } from './stuck-head.ts'
import type { StuckHead } from './stuck-head.ts'

/** What a set of lanes takes. */
export interface LanesOptions<T> {
  /** An item that has waited this long is as important as any. From 0; Infinity: never. Default 30,000. */
  readonly ageingMs?: number
  /**
   * While fewer high items run than this says, a high lane goes first, whatever else has waited how long. Default: none
   * does.
   */
  readonly highFirstBelow?: () => number
  /** Called when something can be taken that could not a moment ago. */
  readonly onReady?: () => void
  /** A running item is a stuck head after this time. From 1; Infinity: never. Default 30,000. */
  readonly stuckAfterMs?: number
  /** Told once of each stuck head. */
  readonly onStuck?: (stuck: StuckHead<T>) => void
  readonly clock?: Clock
}

/** What `push` of lanes takes beside the item. */
export interface LaneItemOptions {
  /** Items of one lane run one at a time, in the order they came. Default: a lane of its own. */
  readonly lane?: LaneKey
  /** Default medium. A lane is as important as the most important item that waits in it. */
  readonly priority?: Priority
}

/** What `inspect()` of lanes returns. */
export interface LanesState {
  /** Lanes with items. */
  readonly lanes: number
  /** Items that wait, by priority. */
  readonly waiting: PerPriority<number>
  /** Items that were taken and are not done. */
  readonly running: number
  /** Lanes whose first item could be taken now, by the lane's importance. */
  readonly ready: PerPriority<number>
  /** Lanes whose first item waits for its delay to pass. */
  readonly held: number
  /** How long the oldest item has waited. */
  readonly oldestWaitMs: number
  /** How long the oldest running item has run. */
  readonly longestRunMs: number
}

/**
 * Items in lanes: within a lane one at a time and in order, between lanes whatever may run. Work-conserving: while any
 * lane is ready, `take` gives an item. The most important lane goes first, the oldest item among equals. Ageing bounds
 * the wait behind more important ones: an item that entered `ageingMs` ago goes before every item that entered after
 * it, so that from then on only older items are ahead of it (and delays of its own lane, and high items of which fewer
 * than `highFirstBelow` run).
 */
export class Lanes<T> implements Disposable {
  readonly #clock: Clock
  readonly #ageingMs: number
  readonly #onReady: (() => void) | undefined
  readonly #highFirstBelow: () => number
  /** A lane without a key stands under itself. */
  readonly #lanes = new Map<LaneKey | Lane<T>, Lane<T>>()
  readonly #ready: PerPriority<ReadyHeap<Lane<T>>> = perPriority(() => new ReadyHeap())
  readonly #waiting: Record<Priority, number> = { high: 0, medium: 0, low: 0 }
  /** In the order they were started. */
  readonly #running = new LinkedList<Task<T>>()
  readonly #stuck: StuckHeads<T>
  #held = 0
  #runningHigh = 0
  #sequence = 0
  #closed = false

  constructor(options: LanesOptions<T> = {}) {
    const { ageingMs = 30_000, highFirstBelow = () => 0, onReady, stuckAfterMs, onStuck, clock = systemClock } = options
    this.#clock = clock
    this.#highFirstBelow = highFirstBelow
    this.#ageingMs = requireNumber('ageingMs', ageingMs, { min: 0, max: Infinity })
    this.#onReady = onReady
    this.#stuck = new StuckHeads({ tasks: this.#running, stuckAfterMs, onStuck, clock })
  }

  /** Items that are not running. */
  get waiting(): number {
    return this.#waiting.high + this.#waiting.medium + this.#waiting.low
  }

  /** Items that were taken and are not done. */
  get running(): number {
    return this.#running.length
  }

  /** Lanes in which anything waits or runs. */
  get size(): number {
    return this.#lanes.size
  }

  /** Lanes whose first item waits for its delay to pass. */
  get held(): number {
    return this.#held
  }

  /** Whether anything waits or runs in this lane. */
  has(key: LaneKey): boolean {
    return this.#lanes.has(key)
  }

  /** Lanes of which an item could be taken now. */
  get ready(): number {
    return this.#ready.high.length + this.#ready.medium.length + this.#ready.low.length
  }

  /** Fewer high items run than should. */
  get favoursHigh(): boolean {
    return this.#runningHigh < this.#highFirstBelow()
  }

  /** The task can be given to `boost`. */
  push(item: T, { lane: key, priority = 'medium' }: LaneItemOptions = {}): LaneTask<T> {
    requireOneOf('priority', priority, priorities)
    if (this.#closed) throw new ClosedError('the set of lanes')
    const lane = this.#laneFor(key)
    const task = this.#newTask(item, lane, priority)
    lane.append(task)
    this.#waiting[priority]++
    this.#updateReady(lane)
    return task
  }

  /** The next item to run; its lane is busy until `done` or `again`. Undefined: nothing is ready. */
  take(): LaneTask<T> | undefined {
    // Asked before each record of a consumer; to look at the clock takes longer than all the rest of it.
    const lane = this.ready === 0 ? undefined : this.#nextLane()
    if (lane === undefined) return undefined
    this.#ready[lane.readyAs].remove(lane)
    const task = lane.takeHead()
    this.#waiting[task.priority]--
    return this.#run(task)
  }

  /** Lets an item in that runs already, past all that waits. @throws InvariantError where its lane is not free. */
  start(item: T, { lane: key, priority = 'medium' }: LaneItemOptions = {}): LaneTask<T> {
    requireOneOf('priority', priority, priorities)
    if (key !== undefined && this.#lanes.has(key)) throw new InvariantError('The lane is not free', { lane: key })
    const lane = this.#laneFor(key)
    lane.append(this.#newTask(item, lane, priority))
    return this.#run(lane.takeHead())
  }

  #run(task: Task<T>): Task<T> {
    task.startedMs = this.#clock.monotonicMs()
    task.isRunning = true
    if (task.priority === 'high') this.#runningHigh++
    this.#running.append(task)
    this.#stuck.started()
    return task
  }

  /** The task has ended: the next item of its lane may run. */
  done(task: LaneTask<T>): void {
    const { of: lane } = this.#stop(task)
    lane.advance()
    if (lane.isEmpty) this.#forget(lane)
    else this.#updateReady(lane)
  }

  /**
   * The task runs again as the first of its lane, after a delay in which its slot is free and its lane is not; where
   * `item` is given, that one runs in its place.
   */
  again(task: LaneTask<T>, delayMs = 0, item: T = task.item): void {
    requireNumber('delayMs', delayMs, { min: 0 })
    const own = this.#stop(task)
    own.attempt++
    own.item = item
    own.of.putBack(own)
    this.#waiting[own.priority]++
    if (delayMs > 0 && !this.#closed) this.#hold(own.of, delayMs)
    else this.#updateReady(own.of)
  }

  /** Makes a lane, by its key or one of its tasks, as important as any until its next item has been taken. */
  boost(which: LaneKey | LaneTask<T>): void {
    const lane = typeof which === 'object' ? (which as Task<T>).of : this.#lanes.get(which)
    if (lane === undefined) return
    lane.isBoosted = true
    this.#updateReady(lane)
  }

  /** Takes out every waiting item for which `isWanted` says true, in order within a lane; what runs goes on. */
  remove(isWanted: (item: T) => boolean): T[] {
    // All are asked first: a choice that throws must not have taken anything out.
    const wanted = new Set([...this.#lanes.values()].flatMap((lane) => [...lane].filter(({ item }) => isWanted(item))))
    const lanes = new Set([...wanted].map(({ of }) => of))
    for (const { priority } of wanted) this.#waiting[priority]--
    for (const lane of lanes) this.#extract(lane, wanted)
    // Last of all, when every count is right again: a listener may call back.
    for (const lane of lanes) this.#updateReady(lane)
    return [...wanted].map(({ item }) => item)
  }

  /** The tasks that have run for at least this long, the longest first. */
  stuck(afterMs?: number): readonly StuckHead<T>[] {
    return this.#stuck.list(afterMs)
  }

  inspect(): LanesState {
    const nowMs = this.#clock.monotonicMs()
    let oldestMs = nowMs
    for (const { oldest } of this.#lanes.values()) oldestMs = Math.min(oldestMs, oldest?.enteredMs ?? nowMs)
    return {
      lanes: this.#lanes.size,
      waiting: { ...this.#waiting },
      running: this.#running.length,
      ready: perPriority((priority) => this.#ready[priority].length),
      held: this.#held,
      oldestWaitMs: nowMs - oldestMs,
      longestRunMs: nowMs - (this.#running.first?.startedMs ?? nowMs),
    }
  }

  /** Nothing more can be pushed and no timer runs; what is inside can still be taken, held lanes at once. Idempotent. */
  close(): void {
    this.#closed = true
    this.#stuck.close()
    for (const lane of this.#lanes.values()) this.#unhold(lane)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #laneFor(key: LaneKey): Lane<T> {
    const known = key === undefined ? undefined : this.#lanes.get(key)
    if (known) return known
    const lane = new Lane<T>(key)
    this.#lanes.set(key ?? lane, lane)
    return lane
  }

  #newTask(item: T, of: Lane<T>, priority: Priority): Task<T> {
    return new Task(item, of, { priority, enteredMs: this.#clock.monotonicMs(), sequence: this.#sequence++ })
  }

  /** The most important ready lane, unless an older item in another one has aged. */
  #nextLane(): Lane<T> | undefined {
    const agedIfEnteredBy = this.#clock.monotonicMs() - this.#ageingMs
    const high = this.#ready.high.peek()
    if (high !== undefined && this.favoursHigh) return high
    let best: Lane<T> | undefined
    for (const priority of priorities) {
      const lane = this.#ready[priority].peek()
      if (lane === undefined) continue
      const isAged = (lane.head as Task<T>).enteredMs <= agedIfEnteredBy
      if (best === undefined || (isAged && lane.order < best.order)) best = lane
    }
    return best
  }

  #stop(task: LaneTask<T>): Task<T> {
    const own = task as Task<T>
    if (!own.isRunning) throw new InvariantError('The task is not running', { lane: task.lane, attempt: task.attempt })
    own.isRunning = false
    if (own.priority === 'high') this.#runningHigh--
    this.#running.remove(own)
    this.#stuck.stopped(own)
    return own
  }

  #hold(lane: Lane<T>, delayMs: number): void {
    this.#held++
    lane.hold = this.#clock.setTimeout(() => this.#unhold(lane), delayMs)
  }

  #unhold(lane: Lane<T>): void {
    if (lane.hold === undefined) return
    this.#cancelHold(lane)
    this.#updateReady(lane)
  }

  #cancelHold(lane: Lane<T>): void {
    if (lane.hold === undefined) return
    lane.hold.cancel()
    lane.hold = undefined
    this.#held--
  }

  #extract(lane: Lane<T>, wanted: ReadonlySet<Task<T>>): void {
    if (lane.heapIndex >= 0) this.#ready[lane.readyAs].remove(lane)
    if (lane.head && wanted.has(lane.head)) this.#cancelHold(lane)
    lane.extract(wanted)
    if (lane.isEmpty) this.#forget(lane)
  }

  #forget(lane: Lane<T>): void {
    this.#lanes.delete(lane.key ?? lane)
  }

  /** Puts the lane where it belongs among the ready ones; one that runs, is held or is empty belongs nowhere. */
  #updateReady(lane: Lane<T>): void {
    if (lane.head === undefined || lane.hold) return
    const { importance } = lane
    const wasReady = lane.heapIndex >= 0
    if (wasReady && lane.readyAs === importance) return
    if (wasReady) this.#ready[lane.readyAs].remove(lane)
    lane.readyAs = importance
    lane.order = lane.head.sequence
    this.#ready[importance].push(lane)
    if (!wasReady) callListener(this.#onReady, undefined, 'ready')
  }
}
