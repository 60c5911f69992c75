import type { Clock } from '@sluice/flow'
import { Invocation } from './invocation.ts'
import type { Order, OrderHost } from './order.ts'
import type { AssignedPartition } from '../partition.ts'
import type { PartitionLog } from '../intake/partition-log.ts'
import { ReadyLine } from './ready-line.ts'

/**
 * Order by partition: each partition is one lane. A slot is lent to a partition, which calls the handler for its records
 * one after the other; after `pollRecords` the next partition in line has its turn. Those of high topics are first in
 * line, for the next free slot at any time while they have less than their share of slots.
 */
export class PartitionTurns implements Order {
  readonly #host: OrderHost
  readonly #clock: Clock
  readonly #ready: ReadyLine
  readonly #parked = new Set<AssignedPartition>()
  #runningHigh = 0

  constructor(host: OrderHost, clock: Clock) {
    this.#host = host
    this.#clock = clock
    this.#ready = new ReadyLine(clock)
  }

  offer(partition: AssignedPartition): void {
    if (partition.work.status !== 'idle') return
    partition.work.status = 'ready'
    this.#ready.push(partition)
    this.#host.schedule()
  }

  /** What it has open would only keep room from others. */
  paused(partition: AssignedPartition): void {
    if (partition.work.status !== 'running') partition.log?.fold()
  }

  resumed(partition: AssignedPartition): void {
    if (partition.work.invocation !== undefined || partition.log?.hasMore === true) this.offer(partition)
  }

  unpark(): void {
    for (const partition of this.#parked) {
      this.#parked.delete(partition)
      partition.work.status = 'idle'
      this.offer(partition)
    }
  }

  pump(): void {
    const { slots, turn, mayBegin, schedule } = this.#host
    while (slots.hasFree && mayBegin()) {
      const partition = this.#ready.peek(this.#runningHigh < slots.highShare)
      if (partition === undefined) return
      this.#ready.shift(partition)
      if (partition.work.status !== 'ready') continue
      if (partition.mayHandle) this.#startTurn(partition)
      else partition.work.status = 'idle'
      if (turn.isOver()) return schedule()
    }
  }

  done(invocation: Invocation): void {
    const { turn, mayBegin } = this.#host
    const { partition } = invocation
    const { work } = partition
    const log = partition.log!
    this.#host.finish(invocation)
    log.settle()
    work.invocation = undefined
    if (work.status === 'held') {
      work.status = 'idle'
      if (partition.mayHandle && log.hasMore) this.offer(partition)
      return
    }
    // Handlers that settle at once would otherwise keep the loop in its microtasks for ever.
    if (turn.isOver() || !mayBegin()) work.turnLeft = 0
    this.#goOn(partition, log)
    if (partition.work.status !== 'running') this.#pumpOrSchedule()
  }

  again(invocation: Invocation, delayMs: number): void {
    const { partition } = invocation
    this.#freeSlot(partition)
    partition.work.invocation = invocation
    partition.work.status = 'backoff'
    partition.log!.fold()
    invocation.retryTimer = this.#clock.setTimeout(() => {
      partition.work.status = 'idle'
      this.offer(partition)
    }, delayMs)
  }

  hold(invocation: Invocation): void {
    const { partition } = invocation
    this.#freeSlot(partition)
    partition.work.invocation = invocation
    partition.work.status = 'held'
    partition.log!.fold()
  }

  left({ partition }: Invocation): void {
    if (partition.work.status === 'running') this.#freeSlot(partition)
    partition.work.invocation = undefined
    partition.work.status = 'idle'
  }

  dropWaiting(partition: AssignedPartition): void {
    const { work } = partition
    work.invocation?.retryTimer?.cancel()
    if (work.status !== 'running' && work.status !== 'held') {
      work.invocation = undefined
      work.status = 'idle'
    }
    this.#parked.delete(partition)
    partition.log?.drop()
  }

  out({ work }: AssignedPartition): readonly Invocation[] {
    const isOut = (work.status === 'running' || work.status === 'held') && work.invocation !== undefined
    return isOut ? [work.invocation!] : []
  }

  runnable(): number {
    return this.#ready.length
  }

  clear(): void {
    this.#ready.clear()
    this.#parked.clear()
  }

  inspect(): { readonly ready: number; readonly parked: number } {
    return { ready: this.#ready.length, parked: this.#parked.size }
  }

  #startTurn(partition: AssignedPartition): void {
    const { work } = partition
    work.status = 'running'
    work.turnLeft = this.#host.pollRecords()
    this.#host.slots.take()
    if (partition.priority === 'high') this.#runningHigh++
    const waiting = work.invocation
    const log = partition.log!
    if (waiting === undefined || this.#call(waiting.next(), log)) this.#goOn(partition, log)
  }

  /** Calls the handler until the turn is over, nothing is left, or it has to be waited for. */
  #goOn(partition: AssignedPartition, log: PartitionLog): void {
    const { slots, turn } = this.#host
    const { work } = partition
    while (work.turnLeft > 0 && partition.mayHandle && !slots.isOverdrawn && !this.#host.mustStop()) {
      if (log.mustWait) return this.#park(partition)
      let invocation: Invocation | undefined
      try {
        invocation = this.#take(partition, log)
      } catch (error) {
        this.#freeSlot(partition)
        return this.#host.fatal(error as Error)
      }
      if (invocation === undefined) break
      work.turnLeft -= invocation.recordCount
      if (!this.#call(invocation, log)) return
      if (turn.isOverAfterCall()) break
    }
    this.#endTurn(partition)
  }

  #take(partition: AssignedPartition, log: PartitionLog): Invocation | undefined {
    const record = log.take()
    if (record === undefined) return undefined
    const start = log.takenFrom
    if (!this.#host.batch) return new Invocation(partition, record, 1, start, log.takenTo)
    const records = [record]
    const most = this.#host.pollRecords()
    let end = log.takenTo
    if (log.takenError) return new Invocation(partition, records, 1, start, end)
    while (records.length < most && !log.mustWait) {
      const next = log.take()
      if (next === undefined) break
      if (log.takenFrom !== end || log.takenError) {
        log.untake(next)
        break
      }
      records.push(next)
      end = log.takenTo
    }
    return new Invocation(partition, records, 1, start, end)
  }

  /** True: it is done already. */
  #call(invocation: Invocation, log: PartitionLog): boolean {
    const { partition, attempt, postponed } = invocation
    partition.work.invocation = invocation
    if (attempt === 1 && postponed === 0 && log.takenError !== undefined) {
      this.#host.failed(invocation, log.takenError)
      return false
    }
    if (!this.#host.calls.call(invocation)) return false
    partition.work.invocation = undefined
    this.#host.finish(invocation)
    return true
  }

  #pumpOrSchedule(): void {
    if (this.#ready.length === 0) return
    if (this.#host.turn.isOver()) this.#host.schedule()
    else this.pump()
  }

  #endTurn(partition: AssignedPartition): void {
    const log = partition.log!
    this.#freeSlot(partition)
    this.#host.ended(partition)
    log.settle()
    if (partition.paused) log.fold()
    if (partition.mayHandle && log.hasMore) this.offer(partition)
  }

  #freeSlot(partition: AssignedPartition): void {
    partition.work.status = 'idle'
    this.#host.slots.free()
    if (partition.priority === 'high') this.#runningHigh--
  }

  #park(partition: AssignedPartition): void {
    this.#freeSlot(partition)
    partition.work.status = 'parked'
    this.#parked.add(partition)
    partition.log!.settle()
    this.#host.ended(partition)
  }
}
