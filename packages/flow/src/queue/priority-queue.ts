import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { ClosedError, InvariantError } from '../errors.ts'
import type { BackpressureError, BackpressureReason } from '../errors.ts'
import { Gate } from '../gate/gate.ts'
import type { GateState } from '../gate/gate.ts'
import { Waiters } from '../gate/waiters.ts'
import type { WatermarkOptions } from '../gate/watermarks.ts'
import { callListener } from '../listener.ts'
import { requireFunction, requireInteger, requireOneOf } from '../require.ts'
import { LinkedList } from './linked-list.ts'
import type { Linked } from './linked-list.ts'
import { overflowRules, ShedAccount } from './overflow.ts'
import type { OverflowOptions, OverflowRules } from './overflow.ts'
import { perPriority, priorities, rankOf } from './priority.ts'
import type { PerPriority, Priority } from './priority.ts'

export interface PriorityQueueOptions<T> extends WatermarkOptions, OverflowOptions {
  /** What `take` gives first: the most important (default), or what came first. */
  readonly takeOrder?: 'priority' | 'arrival'
  /** Callers of `push` that may wait at a time. Default 1,000. */
  readonly maxWaiting?: number
  /** Told of each item that was accepted and then had to go. Its owner must hear of it, so this is required. */
  readonly onShed: (shed: Shed<T>) => void
  readonly onThrottled?: (state: GateState) => void
  readonly onReleased?: (state: GateState) => void
  readonly clock?: Clock
}

export interface Shed<T> {
  readonly entry: QueueEntry<T>
  readonly error: BackpressureError
}

export interface PushOptions {
  /** Default medium. */
  readonly priority?: Priority
  /** Default 0. */
  readonly bytes?: number
  readonly signal?: AbortSignal | undefined
}

/** An item's place in the queue. It counts until it is released or shed. */
export interface QueueEntry<T> {
  readonly item: T
  readonly priority: Priority
  readonly bytes: number
  /** queued: may still be evicted. sealed: in work, counts, cannot be evicted. gone: released or shed. */
  readonly state: 'waiting' | 'queued' | 'sealed' | 'gone'
}

export interface PriorityQueueState extends GateState {
  readonly queued: PerPriority<number>
  readonly waitingPushes: PerPriority<number>
  /** Since the start, by reason. */
  readonly shed: Readonly<Record<BackpressureReason, number>>
}

interface Entry<T> extends QueueEntry<T>, Linked<Entry<T>> {
  readonly sequence: number
  state: 'waiting' | 'queued' | 'sealed' | 'gone'
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
  readonly #queued: PerPriority<LinkedList<Entry<T>>> = perPriority(() => new LinkedList())
  readonly #queuedBytes: Record<Priority, number> = { high: 0, medium: 0, low: 0 }
  readonly #waiting: PerPriority<Waiters<Entry<T>>>
  /** Evicted, and not told yet. */
  readonly #evicted: Entry<T>[] = []
  #settling = false
  #settleWanted = false
  #sequence = 0
  #closedBy: Error | undefined

  constructor(options: PriorityQueueOptions<T>) {
    const clock = options.clock ?? systemClock
    this.#gate = new Gate(options)
    this.#rules = overflowRules(options)
    this.#takeOrder = requireOneOf('takeOrder', options.takeOrder ?? 'priority', ['priority', 'arrival'])
    this.#maxWaiting = requireInteger('maxWaiting', options.maxWaiting ?? 1_000, { min: 0 })
    this.#onShed = requireFunction('onShed', options.onShed)
    this.#waiting = perPriority(() => new Waiters(clock, () => this.#settle()))
  }

  /** Items that wait to be taken. */
  get length(): number {
    return priorities.reduce((sum, priority) => sum + this.#queued[priority].length, 0)
  }

  get throttled(): boolean {
    return this.#gate.throttled
  }

  /** Callers of `push` in line. */
  get waiting(): number {
    return priorities.reduce((sum, priority) => sum + this.#waiting[priority].length, 0)
  }

  /** Resolves when the item is in; rejects with a `BackpressureError` by the rule of its priority. */
  async push(item: T, { priority = 'medium', bytes = 0, signal }: PushOptions = {}): Promise<QueueEntry<T>> {
    signal?.throwIfAborted()
    if (this.#closedBy) throw this.#closedBy
    const entry = this.#newEntry(item, priority, bytes)
    const isIn = !this.#isBehindOthers(priority) && this.#enter(entry)
    this.#tellEvicted()
    if (!isIn) await this.#waitFor(entry, signal)
    return entry
  }

  /** In at once (a high item may evict), or undefined: where there is no room, where anyone waits, after close. */
  tryPush(item: T, { priority = 'medium', bytes = 0 }: PushOptions = {}): QueueEntry<T> | undefined {
    if (this.#closedBy || this.waiting > 0) return undefined
    const entry = this.#newEntry(item, priority, bytes)
    const isIn = this.#enter(entry)
    this.#tellEvicted()
    return isIn ? entry : undefined
  }

  /** The next item, sealed; it counts until it is released. */
  take(): QueueEntry<T> | undefined {
    let next: Entry<T> | undefined
    for (const priority of priorities) {
      const first = this.#queued[priority].first
      if (first && (next === undefined || first.sequence < next.sequence)) next = first
      if (next && this.#takeOrder === 'priority') break
    }
    if (next) this.seal(next)
    return next
  }

  /** From now on this entry cannot be evicted: its work has begun. */
  seal(entry: QueueEntry<T>): void {
    const own = requireState(entry, 'queued')
    this.#unqueue(own)
    own.state = 'sealed'
  }

  /** Frees the place of an entry, sealed or still queued. */
  release(entry: QueueEntry<T>): void {
    const own = requireState(entry, entry.state === 'queued' ? 'queued' : 'sealed')
    if (own.state === 'queued') this.#unqueue(own)
    this.#free(own)
    this.#settle()
  }

  /** Sheds everything queued or waiting that is less important than `priority`: the emergency brake. */
  retainOnly(priority: Priority): void {
    const facts = { retained: priority }
    for (const lower of priorities.slice(rankOf[priority] + 1)) {
      const shed = [...this.#evictAll(lower)]
      for (let left = this.#waiting[lower].length; left > 0; left--) {
        this.#waiting[lower].rejectFirst(this.#account.error('low_priority_drop', 'Shed in an emergency', facts))
      }
      this.#tell(shed, 'low_priority_drop', 'Shed in an emergency')
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
      queued: perPriority((priority) => this.#queued[priority].length),
      waitingPushes: perPriority((priority) => this.#waiting[priority].length),
      shed: this.#account.counts(),
    }
  }

  /** Nothing comes in any more and whoever waits is rejected; what is inside can be taken and released. Idempotent. */
  close(error: Error = new ClosedError('The queue')): void {
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
    const links = { previous: undefined, next: undefined }
    return { item, priority, bytes, sequence: this.#sequence++, state: 'waiting', ...links }
  }

  /** Whether somebody of the same importance or more waits already. */
  #isBehindOthers(priority: Priority): boolean {
    for (const other of priorities) {
      if (this.#waiting[other].length > 0) return true
      if (other === priority) return false
    }
    return false
  }

  #enter(entry: Entry<T>): boolean {
    if (this.#gate.tryAcquire(entry.bytes)) {
      this.#enqueue(entry)
      return true
    }
    if (!this.#rules[entry.priority].evicts || !this.#couldEvictFor(entry)) return false
    while (!this.#gate.tryAcquire(entry.bytes)) this.#evictOldest()
    this.#enqueue(entry)
    return true
  }

  /** Whether evicting every queued item below this one's class would make room for it. */
  #couldEvictFor({ priority, bytes }: Entry<T>): boolean {
    const { records, bytes: bytesInside, maxRecords, maxBytes } = this.#gate.inspect()
    let recordsLeft = records
    let bytesLeft = bytesInside
    for (const lower of priorities.slice(rankOf[priority] + 1)) {
      recordsLeft -= this.#queued[lower].length
      bytesLeft -= this.#queuedBytes[lower]
    }
    return recordsLeft + 1 <= maxRecords && bytesLeft + bytes <= maxBytes
  }

  #evictOldest(): void {
    const victim = this.#queued.low.first ?? this.#queued.medium.first
    if (victim === undefined) throw new InvariantError('Nothing left to evict', { ...this.inspect() })
    this.#unqueue(victim)
    this.#free(victim)
    this.#evicted.push(victim)
  }

  *#evictAll(priority: Priority): Generator<Entry<T>, void, undefined> {
    for (let first = this.#queued[priority].first; first; first = this.#queued[priority].first) {
      this.#unqueue(first)
      this.#free(first)
      yield first
    }
  }

  /** Last of all, when every count is right again: a listener may call back. */
  #tellEvicted(): void {
    if (this.#evicted.length === 0) return
    this.#tell(this.#evicted.splice(0), 'old_message_dropped', 'Evicted by an item of high priority')
  }

  #tell(shed: readonly Entry<T>[], reason: BackpressureReason, message: string): void {
    for (const entry of shed) {
      const error = this.#account.error(reason, message, { priority: entry.priority, itemBytes: entry.bytes })
      callListener(this.#onShed, { entry, error }, 'shed')
    }
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
    // A listener of the gate may release and so come here again while one is on its way in: it is seen to after that.
    this.#settleWanted = true
    if (this.#settling) return
    this.#settling = true
    while (this.#settleWanted) {
      this.#settleWanted = false
      this.#letIn()
    }
    this.#settling = false
    this.#tellEvicted()
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
    this.#queued[entry.priority].append(entry)
    this.#queuedBytes[entry.priority] += entry.bytes
  }

  #unqueue(entry: Entry<T>): void {
    this.#queued[entry.priority].remove(entry)
    this.#queuedBytes[entry.priority] -= entry.bytes
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
