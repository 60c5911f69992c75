import { type Clock, type LaneItemOptions, type LaneKey, Lanes, type LaneTask, type Priority } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { RetryBacklog } from '../failure/retry-backlog.ts'
import { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../events.ts'
import { behindRetry } from '../failure/failure-route.ts'
import { Invocation } from './invocation.ts'
import { keyName } from './key-name.ts'
import type { Order, OrderHost } from './order.ts'
import type { AssignedPartition } from '../partition.ts'
import type { PartitionLog } from '../intake/partition-log.ts'
import { ReadyLine } from './ready-line.ts'
import { priorityReader } from './record-priority.ts'

/** Records that were taken from their partitions and wait for their lane, at most: each costs memory beside its bytes. */
const maxWaiting = 16_384
/** Of high topics some more: what waits before them must not keep them from being seen. */
const maxWaitingHigh = 20_480

/** Records of one retry partition that were taken and are not finished, at most. */
const maxWaitingRetries = 1_024
/** A timer cannot be set for longer than some 24 days. */
const longestWaitMs = 2 ** 30

/**
 * Order by key, or none: the records of a partition go into lanes, one of which handles one record at a time, in order.
 * A free slot takes a ready lane; while there is none, records are taken from the partitions until one may be handled.
 * A record without a key has a lane of its own, as all have where nothing is ordered. What may overtake is read ahead:
 * everything where records have priorities, else the partitions of high topics.
 */
export class KeyLanes implements Order {
  readonly #host: OrderHost
  readonly #clock: Clock
  readonly #lanes: Lanes<Invocation>
  /** Partitions that may have records to take. */
  readonly #ready: ReadyLine
  readonly #parked = new Set<AssignedPartition>()
  readonly #full = new Set<AssignedPartition>()
  /** What had been taken of partitions that are paused. */
  readonly #paused = new Map<AssignedPartition, readonly Invocation[]>()
  readonly #isByKey: boolean
  #isCleared = false
  /** How important a record says to be; undefined where none is asked. */
  readonly #ranks: ((record: ConsumerRecord) => Priority | undefined) | undefined

  constructor(host: OrderHost, clock: Clock, events: Emitter<ConsumerEvents>) {
    this.#host = host
    this.#clock = clock
    this.#isByKey = host.settings.order === 'key'
    const { priority } = host.settings
    this.#ranks = priority === undefined ? undefined : priorityReader(priority, events)
    this.#ready = new ReadyLine(clock)
    this.#lanes = new Lanes({
      clock,
      onReady: host.schedule,
      stuckAfterMs: host.settings.stuckAfterMs,
      highFirstBelow: () => host.slots.highShare,
      onStuck: ({ item, runningMs, attempt }) =>
        events.emit('stuck', { ...item.place, key: item.records[0]!.key, runningMs, attempt }),
    })
  }

  offer(partition: AssignedPartition): void {
    if (partition.work.status !== 'idle') return
    partition.work.status = 'ready'
    this.#ready.push(partition)
    this.#host.schedule()
  }

  paused(partition: AssignedPartition): void {
    const waiting = this.#lanes.remove((item) => item.partition === partition)
    if (waiting.length > 0) this.#paused.set(partition, waiting)
    partition.log?.fold()
  }

  resumed(partition: AssignedPartition): void {
    const waiting = this.#paused.get(partition) ?? []
    this.#paused.delete(partition)
    for (const invocation of waiting) this.#enqueue(invocation)
    if (partition.log?.hasMore === true) this.offer(partition)
    this.#host.schedule()
  }

  unpark(): void {
    for (const partition of this.#parked) this.#back(partition, this.#parked)
    for (const partition of this.#full) this.#lookAtFull(partition)
  }

  pump(): void {
    const { slots, turn, mayBegin, schedule } = this.#host
    if (!mayBegin()) return
    this.#readAhead()
    while (slots.hasFree && !this.#host.mustStop()) {
      const task = this.#lanes.take()
      if (task !== undefined) this.#run(task)
      else if (!this.#takeNext()) return
      if (turn.isOverAfterCall()) return schedule()
    }
  }

  done(invocation: Invocation): void {
    this.#finish(invocation)
    this.#end(invocation)
    invocation.partition.log!.settle()
    if (this.#host.turn.isOver()) this.#host.schedule()
    else this.pump()
  }

  again(invocation: Invocation, delayMs: number): void {
    this.#host.slots.free()
    this.#putBack(invocation, invocation.next(), delayMs)
  }

  hold(invocation: Invocation): void {
    this.#taskOf(invocation)
    invocation.isHeld = true
    this.#host.slots.free()
  }

  left(invocation: Invocation): void {
    invocation.partition.work.unfinished.delete(invocation.start)
    this.#end(invocation)
  }

  dropWaiting(partition: AssignedPartition): void {
    const { work } = partition
    const paused = this.#paused.get(partition) ?? []
    const waiting = this.#lanes.remove((item) => item.partition === partition)
    for (const { start } of [...paused, ...waiting]) work.unfinished.delete(start)
    this.#paused.delete(partition)
    this.#parked.delete(partition)
    this.#full.delete(partition)
    if (work.status !== 'ready') work.status = 'idle'
    partition.log?.drop()
  }

  out({ work }: AssignedPartition): readonly Invocation[] {
    if (work.unfinished.size === 0) return []
    return [...work.unfinished.values()].filter(({ task }) => task !== undefined)
  }

  /** While there are records to take nobody knows how many lanes they make. */
  runnable(): number {
    return this.#ready.length > 0 ? Infinity : this.#lanes.ready
  }

  clear(): void {
    this.#isCleared = true
    this.#ready.clear()
    this.#parked.clear()
    this.#full.clear()
    this.#paused.clear()
    this.#lanes.remove(() => true)
    this.#lanes.close()
  }

  inspect(): { readonly ready: number; readonly parked: number } {
    return { ready: this.#lanes.ready, parked: this.#parked.size }
  }

  /** What is to overtake has to be known first. */
  #readAhead(): void {
    if (this.#ranks !== undefined) while (this.#takeNext());
    else if (this.#lanes.ready > 0) while (this.#ready.high > 0 && this.#takeNext(maxWaitingHigh));
  }

  /** Takes one record from the next partition that has one, and begins it if it may. False: there is none. */
  #takeNext(most = maxWaiting): boolean {
    // What waits for its time is in nobody's way.
    if (this.#lanes.waiting - this.#lanes.held >= most) return false
    const favoursHigh = most > maxWaiting || this.#lanes.favoursHigh
    for (;;) {
      const partition = this.#ready.peek(favoursHigh)
      if (partition === undefined) return false
      if (this.#takeFrom(partition)) return true
      this.#ready.shift(partition)
    }
  }

  /** False: nothing is to be taken from it now. */
  #takeFrom(partition: AssignedPartition): boolean {
    const { work, log } = partition
    if (!partition.mayHandle || log === undefined) return this.#rest(partition)
    if (log.mustWait) return this.#wait(partition, 'parked', this.#parked)
    if (!this.#hasRoom(partition, log)) return this.#wait(partition, 'full', this.#full)
    let record: ConsumerRecord | undefined
    try {
      record = log.take()
    } catch (error) {
      this.#host.fatal(error as Error)
      return this.#rest(partition)
    }
    if (record === undefined) return log.hasMore ? this.#restForATurn(partition) : this.#rest(partition)
    if (--work.turnLeft <= 0) this.#rotate(partition)
    this.#begin(this.#newInvocation(partition, record, log), log)
    return true
  }

  #newInvocation(partition: AssignedPartition, record: ConsumerRecord, log: PartitionLog): Invocation {
    const { retryOf } = partition
    if (retryOf === undefined) return new Invocation(partition, record, 1, log.takenFrom, log.takenTo)
    const retry = ConsumerRecord.retryOf(record)
    // What somebody else wrote there, such as a replay, is known only now.
    if (this.#isByKey && !retry?.topicId) retryOf.retries!.takenOf(record.rawKey, log.takenFrom)
    const invocation = new Invocation(partition, record, 1 + (retry?.attempts ?? 0), log.takenFrom, log.takenTo)
    if (retry !== undefined) invocation.dueAtMs = this.#dueAtMs(retry.notBeforeMs)
    return invocation
  }

  /** The clock that wrote `not-before` may be wrong, or ours: no record waits for longer than a retry ever does. */
  #dueAtMs(notBeforeMs: number): number {
    const waitMs = Math.min(notBeforeMs - this.#clock.now(), this.#host.settings.retryMaxMs)
    return waitMs <= 0 ? 0 : this.#clock.monotonicMs() + waitMs
  }

  /** It may begin unless it is behind another: in its lane, or where some are ready. */
  #begin(invocation: Invocation, log: PartitionLog): void {
    invocation.decodeError = log.takenError
    if (this.#ranks !== undefined || (this.#lanes.size > 0 && this.#mustQueue(invocation))) {
      invocation.partition.work.unfinished.set(invocation.start, invocation)
      return this.#enqueue(invocation)
    }
    this.#handle(invocation)
    if (!invocation.isOver) this.#taskOf(invocation)
  }

  #mustQueue(invocation: Invocation): boolean {
    return this.#lanes.ready > 0 || this.#lanes.has(this.#laneOf(invocation))
  }

  #enqueue(invocation: Invocation): void {
    invocation.queued = this.#lanes.push(invocation, this.#placeOf(invocation))
  }

  #run(task: LaneTask<Invocation>): void {
    const { item } = task
    if (item.partition.paused) return this.#putAside(task)
    item.task = task
    this.#handle(item)
  }

  /** A further attempt that fell due in a pause: it goes on with what else had been taken, as the first of it. */
  #putAside(task: LaneTask<Invocation>): void {
    const { partition } = task.item
    this.#paused.set(partition, [task.item, ...(this.#paused.get(partition) ?? [])])
    this.#lanes.done(task)
  }

  #handle(invocation: Invocation): void {
    const { retries } = invocation.partition
    if (invocation.dueAtMs > 0 && this.#isEarly(invocation)) return
    if (retries !== undefined && this.#isAside(invocation, retries)) return
    this.#host.slots.take()
    if (invocation.decodeError !== undefined) this.#host.failed(invocation, invocation.decodeError)
    else if (this.#host.calls.call(invocation)) {
      this.#finish(invocation)
      this.#end(invocation)
      this.#host.ended(invocation.partition)
    }
  }

  /** It is not due yet: its lane waits, a slot does not. */
  #isEarly(invocation: Invocation): boolean {
    const waitMs = invocation.dueAtMs - this.#clock.monotonicMs()
    if (waitMs <= 0) return false
    this.#putBack(invocation, invocation.later(), Math.min(waitMs, longestWaitMs))
    return true
  }

  /** It is in the retry topic already, or goes there behind an earlier record of its key. */
  #isAside(invocation: Invocation, retries: RetryBacklog): boolean {
    const { offset, rawKey } = invocation.input as ConsumerRecord
    if (retries.takes(offset)) {
      this.#finish(invocation)
      invocation.isOver = true
      if (invocation.task !== undefined) this.#lanes.done(invocation.task)
      this.#host.ended(invocation.partition)
      return true
    }
    if (!retries.has(rawKey)) return false
    this.#host.slots.take()
    this.#host.failed(invocation, behindRetry)
    return true
  }

  /** The first of its lane again, as `next`. */
  #putBack(invocation: Invocation, next: Invocation, delayMs: number): void {
    const task = this.#taskOf(invocation)
    invocation.isOver = true
    invocation.partition.work.unfinished.set(invocation.start, next)
    this.#lanes.again(task, delayMs, next)
    next.queued = task
  }

  /** Its place in the lanes: one that was begun past them is entered now, as one that runs. */
  #taskOf(invocation: Invocation): LaneTask<Invocation> {
    if (invocation.task === undefined) {
      invocation.partition.work.unfinished.set(invocation.start, invocation)
      invocation.task = this.#lanes.start(invocation, this.#placeOf(invocation))
    }
    return invocation.task
  }

  #finish(invocation: Invocation): void {
    const { partition, start, input } = invocation
    const { work, retryOf } = partition
    if (retryOf !== undefined) this.#retried(retryOf, input as ConsumerRecord)
    this.#host.finish(invocation)
    if (work.unfinished.size > 0) work.unfinished.delete(start)
    if (this.#full.size > 0 && this.#full.has(partition)) this.#lookAtFull(partition)
  }

  /** One of those that wait is finished. */
  #retried(of: AssignedPartition, { rawKey }: ConsumerRecord): void {
    if (!this.#isByKey) return
    of.retries!.remove(rawKey)
    if (this.#full.size > 0 && this.#full.has(of)) this.#lookAtFull(of)
  }

  #end(invocation: Invocation): void {
    invocation.isOver = true
    if (!invocation.isHeld) this.#host.slots.free()
    if (invocation.task !== undefined) this.#lanes.done(invocation.task)
  }

  #laneOf({ partition, input }: Invocation): LaneKey {
    const key = this.#isByKey ? (input as ConsumerRecord).rawKey : null
    return key === null ? undefined : `${partition.incarnation}:${keyName(key)}`
  }

  #placeOf(invocation: Invocation): LaneItemOptions {
    const priority = this.#ranks?.(invocation.input as ConsumerRecord) ?? invocation.partition.priority
    return { lane: this.#laneOf(invocation), priority }
  }

  /** Others have their turn. */
  #rotate(partition: AssignedPartition): void {
    partition.work.turnLeft = this.#host.pollRecords()
    partition.log!.settle()
    if (this.#ready.length === 1) return
    this.#ready.shift(partition)
    this.#ready.push(partition)
  }

  #rest(partition: AssignedPartition): false {
    partition.work.status = 'idle'
    partition.log?.settle()
    return false
  }

  /** A batch could not be read. What follows it may take as long to open, so sockets and timers are next. */
  #restForATurn(partition: AssignedPartition): false {
    setImmediate(() => {
      if (partition.mayHandle && !this.#isCleared) this.offer(partition)
    })
    return this.#rest(partition)
  }

  #wait(partition: AssignedPartition, status: 'parked' | 'full', waiting: Set<AssignedPartition>): false {
    partition.work.status = status
    waiting.add(partition)
    partition.log!.settle()
    return false
  }

  #back(partition: AssignedPartition, from: Set<AssignedPartition>): void {
    from.delete(partition)
    partition.work.status = 'idle'
    this.offer(partition)
  }

  #hasRoom(partition: AssignedPartition, log: PartitionLog): boolean {
    if (partition.retries?.isFull === true) return false
    if (partition.retryOf !== undefined && partition.work.unfinished.size >= maxWaitingRetries) return false
    return this.#fitsMap(partition, log)
  }

  /** The record that all others of the partition wait for, as far as its commit goes, goes first. */
  #fitsMap({ work, topicId, mapBudget }: AssignedPartition, log: PartitionLog): boolean {
    const fits = mapBudget.allows(log, topicId, work.unfinished.size)
    if (this.#ranks !== undefined && mapBudget.isHalfFull(log)) {
      for (const [, oldest] of work.unfinished) {
        if (oldest.task === undefined && oldest.queued !== undefined) this.#lanes.boost(oldest.queued)
        break
      }
    }
    return fits
  }

  #lookAtFull(partition: AssignedPartition): void {
    if (this.#hasRoom(partition, partition.log!)) this.#back(partition, this.#full)
  }
}
