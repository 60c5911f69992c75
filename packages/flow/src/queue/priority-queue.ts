import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { ClosedError, InvariantError } from '../errors.ts'
import type { BackpressureError, BackpressureReason } from '../errors.ts'
import { Gate, requireAmount } from '../gate/gate.ts'
import type { GateState } from '../gate/gate.ts'
import { Waiters } from '../gate/waiters.ts'
import type { WatermarkOptions } from '../gate/watermarks.ts'
import { callListener } from '../listener.ts'
import { requireFunction, requireInteger, requireOneOf } from '../require.ts'
import { Ring } from '../ring.ts'
import { classesBelow, Entries } from './entries.ts'
import type { Entry, QueueEntry } from './entries.ts'
import { overflowRules, ShedAccount } from './overflow.ts'
import type { OverflowOptions, OverflowRules } from './overflow.ts'
import { perPriority, priorities } from './priority.ts'
import type { PerPriority, Priority } from './priority.ts'

/** What a priority queue takes. */
export interface PriorityQueueOptions<T> extends WatermarkOptions, OverflowOptions {
  /** What `take` gives first: the most important (default), or what came first. */
  readonly takeOrder?: 'priority' | 'arrival'
  /** Callers of `push` that may wait at a time. From 0. Default 1,000. */
  readonly maxWaiting?: number
  /** Told of each item that was accepted and then had to go. Its owner must hear of it, so this is required. */
  readonly onShed: (shed: Shed<T>) => void
  /** Called at the high watermark. */
  readonly onThrottled?: (state: GateState) => void
  /** Called at the low watermark. */
  readonly onReleased?: (state: GateState) => void
  readonly clock?: Clock
}

/** An item that had to leave a full or closed queue. */
export interface Shed<T> {
  /** The item, with its priority. */
  readonly entry: QueueEntry<T>
  readonly error: BackpressureError
}

/** What `push` takes beside the item. */
export interface PushOptions {
  /** Default medium. */
  readonly priority?: Priority
  /** What the item counts in bytes. From 0. Default 0. */
  readonly bytes?: number
  readonly signal?: AbortSignal | undefined
}

/** What `inspect()` of a priority queue returns. */
export interface PriorityQueueState extends GateState {
  /** Items that wait to be taken, by priority. */
  readonly queued: PerPriority<number>
  /** Callers of `push` that wait for room. */
  readonly waitingPushes: PerPriority<number>
  /** Since the start, by reason. */
  readonly shed: Readonly<Record<BackpressureReason, number>>
}

/**
 * A bounded queue in which priority decides only when it is full: a high item evicts the oldest of the lowest class
 * below its own (and waits where there is none), a medium one waits a moment, a low one is refused at once. An item
 * counts until it is released, not only until it is taken, so what is in work fills the queue too. Nothing
 * disappears: a refused push rejects, and what was evicted is told to `onShed`; both are counted by reason.
 */
export class PriorityQueue<T> implements Disposable {
  readonly #gate: Gate
  readonly #rules: OverflowRules
  readonly #takeOrder: 'priority' | 'arrival'
  readonly #maxWaiting: number
  readonly #onShed: (shed: Shed<T>) => void
  readonly #account = new ShedAccount()
  readonly #queued = new Entries<T>()
  readonly #waiting: PerPriority<Waiters<Entry<T>>>
  /** What listeners are to hear once every count is right again: they may call back. */
  readonly #news = new Ring<() => void>()
  #sequence = 0
  #closedBy: Error | undefined

  constructor(options: PriorityQueueOptions<T>) {
    const clock = options.clock ?? systemClock
    this.#gate = new Gate({
      ...options,
      onThrottled: (state) => this.#news.push(() => callListener(options.onThrottled, state, 'throttled')),
      onReleased: (state) => this.#news.push(() => callListener(options.onReleased, state, 'released')),
    })
    this.#rules = overflowRules(options)
    this.#takeOrder = requireOneOf('takeOrder', options.takeOrder ?? 'priority', ['priority', 'arrival'])
    this.#maxWaiting = requireInteger('maxWaiting', options.maxWaiting ?? 1_000, { min: 0 })
    this.#onShed = requireFunction('onShed', options.onShed)
    this.#waiting = perPriority(() => new Waiters(clock, () => this.#settle()))
  }

  /** Items that wait to be taken. */
  get length(): number {
    return this.#queued.length
  }

  /** From the high watermark on, until the low one is reached. */
  get throttled(): boolean {
    return this.#gate.throttled
  }

  /** Callers of `push` in line. */
  get waiting(): number {
    return this.#waiting.high.length + this.#waiting.medium.length + this.#waiting.low.length
  }

  /** Resolves when the item is in; rejects with a `BackpressureError` by the rule of its priority. */
  async push(item: T, { priority = 'medium', bytes = 0, signal }: PushOptions = {}): Promise<QueueEntry<T>> {
    signal?.throwIfAborted()
    if (this.#closedBy) throw this.#closedBy
    const entry = this.#newEntry(item, priority, bytes)
    const isIn = !this.#isBehindOthers(priority) && this.#enter(entry)
    if (isIn) this.#tell()
    else await this.#waitFor(entry, signal)
    return entry
  }

  /** In at once (a high item may evict), or undefined: where there is no room, where anyone waits, after close. */
  tryPush(item: T, { priority = 'medium', bytes = 0 }: PushOptions = {}): QueueEntry<T> | undefined {
    const entry = this.#newEntry(item, priority, bytes)
    if (this.#closedBy || this.waiting > 0) return undefined
    const isIn = this.#enter(entry)
    this.#tell()
    return isIn ? entry : undefined
  }

  /** The next item, sealed; it counts until it is released. */
  take(): QueueEntry<T> | undefined {
    const next = this.#queued.next(this.#takeOrder)
    if (next) this.seal(next)
    return next
  }

  /** From now on this entry cannot be evicted: its work has begun. */
  seal(entry: QueueEntry<T>): void {
    const own = requireState(entry, 'queued')
    this.#queued.remove(own)
    own.state = 'sealed'
  }

  /** Frees the place of an entry, sealed or still queued. */
  release(entry: QueueEntry<T>): void {
    const own = requireState(entry, entry.state === 'queued' ? 'queued' : 'sealed')
    if (own.state === 'queued') this.#queued.remove(own)
    this.#free(own)
    this.#settle()
  }

  /** Sheds everything queued or waiting that is less important than `priority`: the emergency brake. */
  retainOnly(priority: Priority): void {
    requireOneOf('priority', priority, priorities)
    const message = 'Shed in an emergency'
    for (let entry = this.#queued.lowestBelow(priority); entry; entry = this.#queued.lowestBelow(priority)) {
      this.#shed(entry, 'low_priority_drop', message)
    }
    for (const lower of classesBelow(priority)) {
      for (let left = this.#waiting[lower].length; left > 0; left--) {
        this.#waiting[lower].rejectFirst(this.#account.error('low_priority_drop', message, { retained: priority }))
      }
    }
    this.#settle()
  }

  /** Resolves when the queue is not throttled. */
  ready(signal?: AbortSignal): Promise<void> {
    return this.#gate.ready(signal)
  }

  inspect(): PriorityQueueState {
    return {
      ...this.#gate.inspect(),
      waiting: this.waiting,
      queued: this.#queued.counts(),
      waitingPushes: perPriority((priority) => this.#waiting[priority].length),
      shed: this.#account.counts(),
    }
  }

  /** Nothing comes in any more and whoever waits is rejected; what is inside can be taken and released. Idempotent. */
  close(error: Error = new ClosedError('the queue')): void {
    if (this.#closedBy) return
    this.#closedBy = error
    for (const priority of priorities) this.#waiting[priority].rejectAll(error)
    this.#gate.close(error)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #newEntry(item: T, priority: Priority, bytes: number): Entry<T> {
    requireOneOf('priority', priority, priorities)
    requireAmount('bytes', bytes)
    const links = { previous: undefined, next: undefined }
    return { item, priority, bytes, sequence: this.#sequence++, state: 'waiting', ...links }
  }

  /** Whether somebody of the same importance or more waits already. */
  #isBehindOthers(priority: Priority): boolean {
    for (const other of priorities) {
      if (this.#waiting[other].length > 0) return true
      if (other === priority) break
    }
    return false
  }

  #enter(entry: Entry<T>): boolean {
    if (this.#gate.tryAcquire(entry.bytes)) {
      this.#enqueue(entry)
      return true
    }
    if (!this.#rules[entry.priority].evicts || !this.#couldEvictFor(entry)) return false
    while (!this.#gate.tryAcquire(entry.bytes)) this.#evictFor(entry)
    this.#enqueue(entry)
    return true
  }

  /** Whether evicting every queued item below this one's class would make room for it. */
  #couldEvictFor({ priority, bytes }: Entry<T>): boolean {
    const inside = this.#gate.inspect()
    const below = this.#queued.sumBelow(priority)
    return inside.records - below.records < inside.maxRecords && inside.bytes - below.bytes + bytes <= inside.maxBytes
  }

  #evictFor({ priority }: Entry<T>): void {
    const victim = this.#queued.lowestBelow(priority)
    if (victim === undefined) throw new InvariantError('Nothing left to evict', { ...this.inspect() })
    this.#shed(victim, 'old_message_dropped', 'Evicted by an item of high priority')
  }

  #shed(entry: Entry<T>, reason: BackpressureReason, message: string): void {
    this.#queued.remove(entry)
    this.#free(entry)
    const error = this.#account.error(reason, message, { priority: entry.priority, itemBytes: entry.bytes })
    this.#news.push(() => callListener(this.#onShed, { entry, error }, 'shed'))
  }

  #tell(): void {
    for (let news = this.#news.shift(); news; news = this.#news.shift()) news()
  }

  async #waitFor(entry: Entry<T>, signal: AbortSignal | undefined): Promise<void> {
    const { priority, bytes } = entry
    const { waitMs, reason } = this.#rules[priority]
    const facts = { ...this.#gate.inspect(), priority, itemBytes: bytes }
    const message = waitMs === 0 ? 'The queue is full' : `No room within ${waitMs} ms`
    if (waitMs === 0) throw this.#account.error(reason, message, facts)
    if (this.waiting >= this.#maxWaiting) {
      throw this.#account.error('waiting_full', `${this.#maxWaiting} callers wait already`, facts)
    }
    const timeoutError = (): Error => this.#account.error(reason, message, facts)
    await this.#waiting[priority].wait(entry, { signal, timeoutMs: waitMs, timeoutError })
  }

  /** Lets in who waits, the most important first; one that finds no room holds back those behind it. */
  #settle(): void {
    this.#letIn()
    this.#tell()
  }

  #letIn(): void {
    for (const priority of priorities) {
      const line = this.#waiting[priority]
      for (let entry = line.peek(); entry; entry = line.peek()) {
        if (!this.#enter(entry)) return
        line.resolveFirst()
      }
    }
  }

  #enqueue(entry: Entry<T>): void {
    entry.state = 'queued'
    this.#queued.add(entry)
  }

  #free(entry: Entry<T>): void {
    entry.state = 'gone'
    this.#gate.release(entry.bytes)
  }
}

function requireState<T>(entry: QueueEntry<T>, state: 'queued' | 'sealed'): Entry<T> {
  if (entry.state === state) return entry as Entry<T>
  throw new InvariantError(`The entry is ${entry.state}, not ${state}`, {
    priority: entry.priority,
    bytes: entry.bytes,
  })
}
