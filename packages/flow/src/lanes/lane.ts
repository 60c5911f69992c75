import type { Timer } from '../clock.ts'
import type { Linked } from '../linked-list.ts'
import type { Priority } from '../queue/priority.ts'
import { Ring } from '../ring.ts'
import type { LaneKey } from './order.ts'
import type { HeapItem } from './ready-heap.ts'

/** An item that was taken and is not done. */
export interface LaneTask<T> {
  /** What was pushed. */
  readonly item: T
  /** The lane it is in. */
  readonly lane: LaneKey
  /** Its priority. */
  readonly priority: Priority
  /** 1 at first; one more each time it was to run again. */
  readonly attempt: number
  /** Monotonic, as is `startedMs`. */
  readonly enteredMs: number
  /** When it was taken, on the monotonic clock. */
  readonly startedMs: number
}

/**
 * A class: V8 moves object literals to the old generation once many have survived (allocation site pretenuring), where
 * each would keep its item in memory until a full collection.
 */
export class Task<T> implements LaneTask<T>, Linked<Task<T>> {
  item: T
  readonly of: Lane<T>
  readonly lane: LaneKey
  readonly priority: Priority
  readonly enteredMs: number
  readonly sequence: number
  attempt = 1
  startedMs = 0
  isRunning = false
  previous: Task<T> | undefined = undefined
  next: Task<T> | undefined = undefined

  constructor(item: T, of: Lane<T>, entry: Pick<Task<T>, 'priority' | 'enteredMs' | 'sequence'>) {
    this.item = item
    this.of = of
    this.lane = of.key
    this.priority = entry.priority
    this.enteredMs = entry.enteredMs
    this.sequence = entry.sequence
  }
}

/** What waits in one lane, in order, and where the lane stands among the ready ones. */
export class Lane<T> implements HeapItem {
  readonly key: LaneKey
  order = 0
  heapIndex = -1
  /** The heap that the lane stands in while it is ready. */
  readyAs: Priority = 'medium'
  isBoosted = false
  /** Runs while the head may not be taken yet. */
  hold: Timer | undefined = undefined
  #head: Task<T> | undefined = undefined
  /** Behind the head; made when first needed, for most lanes of an unordered flow never have any. */
  #rest: Ring<Task<T>> | undefined = undefined
  #isBusy = false
  /** Waiting items by priority. */
  readonly #counts: Record<Priority, number> = { high: 0, medium: 0, low: 0 }

  constructor(key: LaneKey) {
    this.key = key
  }

  /** The next to run. Undefined while one runs and in an empty lane. */
  get head(): Task<T> | undefined {
    return this.#head
  }

  /** What has waited longest. */
  get oldest(): Task<T> | undefined {
    return this.#head ?? this.#rest?.peek()
  }

  /** Nothing waits and nothing runs. */
  get isEmpty(): boolean {
    return this.#head === undefined && !this.#isBusy
  }

  /** That of the most important item that waits. */
  get importance(): Priority {
    if (this.isBoosted || this.#counts.high > 0) return 'high'
    return this.#counts.medium > 0 ? 'medium' : 'low'
  }

  append(task: Task<T>): void {
    this.#counts[task.priority]++
    if (this.isEmpty) this.#head = task
    else (this.#rest ??= new Ring()).push(task)
  }

  /** The head runs now. Only for a lane that has one. */
  takeHead(): Task<T> {
    const task = this.#head as Task<T>
    this.#head = undefined
    this.#isBusy = true
    this.isBoosted = false
    this.#counts[task.priority]--
    return task
  }

  /** What ran has ended: the next one is the head. */
  advance(): void {
    this.#isBusy = false
    this.#head = this.#rest?.shift()
  }

  /** What ran is the head again. */
  putBack(task: Task<T>): void {
    this.#isBusy = false
    this.#head = task
    this.#counts[task.priority]++
  }

  /** Takes out what waits and is among these. */
  extract(these: ReadonlySet<Task<T>>): void {
    const waiting = [...this]
    this.#head = undefined
    this.#rest = undefined
    for (const task of waiting) {
      this.#counts[task.priority]--
      if (!these.has(task)) this.append(task)
    }
  }

  /** What waits, in order. */
  *[Symbol.iterator](): Generator<Task<T>, void, undefined> {
    if (this.#head) yield this.#head
    if (this.#rest) yield* this.#rest
  }
}
