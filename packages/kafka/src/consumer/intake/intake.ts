import { Gate } from '@sluice/flow'
import type { FetchAsk, FetchBudget, FetchPlan } from '../../fetch/broker-loop.ts'
import type { BudgetDivision } from './budget-division.ts'
import {
  beyond,
  commonIsUnused,
  deduct,
  divisionOf,
  emptyRoom,
  fitsOwn,
  isExhausted,
  ownOf,
  type Room,
} from './budget-room.ts'
import type { AssignedPartition } from '../partition.ts'
import { giveBack, reserveTogether, type SharedReservation } from './shared-reservation.ts'
import type { ConsumerGateState } from '../consumer-state.ts'

export interface IntakeOptions {
  readonly maxRecords: number
  readonly maxBytes: number
  /** As many partitions may always have something to handle, whatever the count of records says. */
  readonly busyPartitions: number
  readonly partitionMaxBytes: number
  readonly fetchMaxBytes: number
  /** Called when there may be room for those that were told to wait. */
  readonly onRoom: () => void
}

/** What one partition may bring in from one fetch; it was reserved and has to be settled. */
export interface Ask extends FetchAsk<AssignedPartition> {
  readonly records: number
  /** The reservation that it shares with the other caught-up partitions of the fetch; undefined: one of its own. */
  readonly shared: SharedReservation | undefined
}

/** Of the budget, for the record objects of all partitions even when it is used up; and of one partition at least. */
const OBJECT_SHARE = 1 / 8
const LEAST_OBJECT_BYTES = 16_384

/**
 * The consumer's budget. Bytes are reserved before a fetch and refunded on the answer; records are counted when they
 * arrive and stop the next fetch. Half of the budget is divided among the partitions, each owning its share, so that
 * none starves behind others; the other half goes to whoever asks first. Who asks in vain has the first claim on it.
 * Partitions of topics declared high own a quarter of the budget together. Under pressure only a part of it is used.
 *
 * The caught-up partitions of a fetch reserve once for all of them, and take nothing of the limit of the request from
 * those that are known to have records: a thousand idle partitions need hardly more room than one.
 *
 * Batches come whole, which decides the edges. Where a share is less than a batch, partitions take turns. As many
 * partitions as there are handler slots may hold one batch each, even past the limit of records (not of bytes): a free
 * slot is never left idle by the count alone. A batch that could never fit waits, on its own partition alone, until
 * the common half is unused, and passes then.
 */
export class Intake implements FetchBudget<AssignedPartition, Ask> {
  readonly #options: IntakeOptions
  readonly #gate: Gate
  readonly #partitions = new Set<AssignedPartition>()
  /** Those that hold or have reserved anything, and some that did: a few of a thousand. */
  readonly #used = new Set<AssignedPartition>()
  /** Of the partitions there are; undefined: to be made. */
  #division: BudgetDivision | undefined
  #claimant: AssignedPartition | undefined
  /** Somebody was refused since the last time there was room. */
  #refused = false
  /** Bytes that decompression added to what was fetched. */
  #expandedBytes = 0
  /** Bytes of the common half that shared reservations of fetches under way have taken. */
  #sharedOfCommon = 0
  /** Record objects that each partition may have whatever else is in memory, or it could not go on. */
  #ownObjectBytes = Infinity
  /** How much of the budget is used, above 0 and at most 1. */
  #share = 1

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#gate = new Gate({ maxRecords: options.maxRecords, maxBytes: options.maxBytes })
  }

  /** What the budget is without pressure. */
  get capacityBytes(): number {
    return this.#options.maxBytes
  }

  add(partition: AssignedPartition): void {
    this.#partitions.add(partition)
    this.#division = undefined
    this.#shareObjects()
  }

  /** Takes all that the partition holds out of the books, except what a fetch under way has reserved. */
  remove(partition: AssignedPartition): void {
    if (!this.#partitions.has(partition)) return
    this.withdraw(partition)
    this.releaseAll(partition)
    this.#partitions.delete(partition)
    this.#used.delete(partition)
    this.#division = undefined
    this.#shareObjects()
  }

  /** Nothing that the partition has in memory is needed any more. */
  releaseAll(partition: AssignedPartition): void {
    const { usage } = partition
    this.shrink(partition, usage.expandedBytes)
    usage.objectBytes = 0
    this.release(partition, usage.heldBytes, usage.heldRecords)
  }

  plan(partitions: Iterable<AssignedPartition>, onlyBehind: boolean): FetchPlan<AssignedPartition, Ask> {
    const room = this.#room()
    const caughtUp = onlyBehind ? [] : caughtUpOf(partitions)
    const { asks: together, reservation } = this.#reserveTogether(caughtUp, room)
    const { asks, bytes, waiting } = this.#askForBehind(partitions, room)
    if (waiting || together.length < caughtUp.length) this.#refused = true
    if (together.length === 0) return { asks, waiting }
    for (const ask of together) asks.push(ask)
    return { asks, waiting, maxBytes: reservation.leftBytes + bytes }
  }

  /** The partition cannot fetch now: it keeps nobody from the common half. */
  withdraw(partition: AssignedPartition): void {
    if (this.#claimant !== partition) return
    this.#claimant = undefined
    this.#tellRoom()
  }

  /** The answer to an ask: what it brought is charged, what it had reserved is refunded. */
  settle(ask: Ask, bytes: number, records: number): void {
    const { usage } = ask.partition
    usage.heldBytes += bytes
    usage.heldRecords += records
    if (bytes > 0) this.#use(ask.partition)
    this.#gate.charge(bytes, records)
    if (ask.shared === undefined) {
      usage.reservedBytes -= ask.bytes
      usage.reservedRecords -= ask.records
      this.#gate.release(ask.bytes, 0)
    } else this.#settleShared(ask.shared, bytes)
    this.#tellRoom()
  }

  /** What is released of a partition that was removed is out of the books already. */
  release(partition: AssignedPartition, bytes: number, records: number): void {
    if (!this.#partitions.has(partition) || (bytes === 0 && records === 0)) return
    partition.usage.heldBytes -= bytes
    partition.usage.heldRecords -= records
    this.#gate.release(bytes, records)
    this.#tellRoom()
  }

  /** Counts what came of records of the partition and is kept until it is written. */
  hold(partition: AssignedPartition, bytes: number, records: number): void {
    if (!this.#partitions.has(partition)) return
    partition.usage.heldBytes += bytes
    partition.usage.heldRecords += records
    this.#use(partition)
    this.#gate.charge(bytes, records)
  }

  /** How much of the budget to use from now on; what is in memory already stays until it is handled. */
  use(share: number): void {
    const isMore = share > this.#share
    this.#share = share
    if (isMore) this.#tellRoom()
  }

  /** Whether a compressed batch may be opened now; the first one always may, or nobody could go on. */
  mayExpand(): boolean {
    if (this.#expandedBytes === 0 || this.#gate.bytes < this.#maxBytes) return true
    this.#refused = true
    return false
  }

  /** Counts what decompression added. */
  expand(partition: AssignedPartition, bytes: number): void {
    partition.usage.heldBytes += bytes
    partition.usage.expandedBytes += bytes
    this.#use(partition)
    this.#expandedBytes += bytes
    this.#gate.charge(bytes, 0)
  }

  /** That batch is done; its bytes are released with the others. */
  shrink(partition: AssignedPartition, bytes: number): void {
    if (!this.#partitions.has(partition)) return
    partition.usage.expandedBytes -= bytes
    this.#expandedBytes -= bytes
  }

  /** Whether a further record may be taken out of an open batch: each is an object, with its headers. */
  mayTake({ usage }: AssignedPartition): boolean {
    if (usage.objectBytes < this.#ownObjectBytes || this.#gate.bytes < this.#maxBytes) return true
    this.#refused = true
    return false
  }

  /** Counts record objects that came (or went, where it is negative). */
  chargeObjects(partition: AssignedPartition, bytes: number): void {
    if (!this.#partitions.has(partition)) return
    partition.usage.objectBytes += bytes
    partition.usage.heldBytes += bytes
    this.#use(partition)
    if (bytes > 0) return this.#gate.charge(bytes, 0)
    this.#gate.release(-bytes, 0)
    this.#tellRoom()
  }

  inspect(): ConsumerGateState {
    return { ...this.#gate.inspect(), expandedBytes: this.#expandedBytes }
  }

  #tellRoom(): void {
    if (!this.#refused) return
    this.#refused = false
    this.#options.onRoom()
  }

  #shareObjects(): void {
    const all = this.#options.maxBytes * OBJECT_SHARE
    this.#ownObjectBytes = Math.max(LEAST_OBJECT_BYTES, all / Math.max(1, this.#partitions.size))
  }

  get #maxBytes(): number {
    return Math.floor(this.#options.maxBytes * this.#share)
  }

  #room(): Room {
    this.#division ??= divisionOf(this.#partitions)
    const budget = { bytes: this.#maxBytes, records: this.#options.maxRecords * this.#share }
    const room = emptyRoom(this.#division, budget)
    room.sharedBytes -= this.#sharedOfCommon
    for (const partition of this.#used) if (!deduct(room, partition)) this.#used.delete(partition)
    return room
  }

  #use(partition: AssignedPartition): void {
    if (this.#partitions.has(partition)) this.#used.add(partition)
  }

  #askForBehind(partitions: Iterable<AssignedPartition>, room: Room) {
    const { fetchMaxBytes, busyPartitions } = this.#options
    const asks: Ask[] = []
    let bytes = 0
    let waiting = false
    for (const partition of partitions) {
      if (!partition.wantsFetch || partition.sizes.caughtUp) continue
      const ask = bytes < fetchMaxBytes ? this.#ask(partition, room, fetchMaxBytes - bytes) : undefined
      if (ask === undefined) {
        waiting = true
        if (bytes >= fetchMaxBytes || isExhausted(room, busyPartitions)) break
        continue
      }
      asks.push(ask)
      bytes += ask.bytes
    }
    return { asks, bytes, waiting }
  }

  #reserveTogether(partitions: readonly AssignedPartition[], room: Room) {
    if (this.#claimant?.sizes.caughtUp === true) this.#claimant = undefined
    const { busyPartitions, fetchMaxBytes } = this.#options
    const planned = reserveTogether(partitions, room, {
      mayShare: this.#claimant === undefined,
      busyPartitions,
      maxBytes: Math.min(fetchMaxBytes, this.#maxBytes - this.#gate.bytes),
    })
    const { leftBytes, commonBytes } = planned.reservation
    room.sharedBytes -= commonBytes
    this.#sharedOfCommon += commonBytes
    this.#gate.charge(leftBytes, 0)
    return planned
  }

  /** What an answer brought takes the place of what was reserved; the last answer gives the rest back. */
  #settleShared(reservation: SharedReservation, bytes: number): void {
    const given = giveBack(reservation, bytes)
    this.#sharedOfCommon -= given.commonBytes
    this.#gate.release(given.bytes, 0)
  }

  #ask(partition: AssignedPartition, room: Room, left: number): Ask | undefined {
    const { usage, sizes } = partition
    const mayShare = this.#claimant === undefined || this.#claimant === partition
    const usedRecords = usage.heldRecords + usage.reservedRecords
    const usedBytes = usage.heldBytes + usage.reservedBytes
    const own = ownOf(partition, room)
    const ownRecords = Math.max(0, own.records - usedRecords)
    const sharedRecords = mayShare ? Math.max(0, room.sharedRecords) : 0
    const bytes = Math.max(0, own.bytes - usedBytes) + (mayShare ? Math.max(0, room.sharedBytes) : 0)
    const fillsSlot = usedRecords === 0 && room.busy < this.#options.busyPartitions
    const hasRoom = sharedRecords > 0 || fitsOwn(partition, ownRecords) || fillsSlot
    if (!hasRoom) return this.#refuse(partition, mayShare)

    const wanted = this.#wantedBytes(partition, ownRecords + sharedRecords)
    const granted = Math.min(wanted, bytes)
    const passesAlone = sizes.batchBytes > own.bytes + room.commonBytes && usedBytes === 0 && commonIsUnused(room)
    if (granted < sizes.batchBytes && !passesAlone) return this.#refuse(partition, mayShare)
    const amount = passesAlone ? sizes.batchBytes : Math.max(sizes.batchBytes, Math.min(granted, left))
    if (!passesAlone && this.#gate.bytes + amount > this.#maxBytes) return this.#refuse(partition, mayShare)
    return this.#reserve(partition, room, amount)
  }

  /** About as many whole batches as there is room for records, at least one. */
  #wantedBytes({ sizes }: AssignedPartition, records: number): number {
    const batches = Math.max(1, Math.floor(records / sizes.batchRecords))
    return Math.max(sizes.batchBytes, Math.min(batches * sizes.batchBytes, this.#options.partitionMaxBytes))
  }

  #refuse(partition: AssignedPartition, mayClaim: boolean): undefined {
    if (mayClaim) this.#claimant = partition
    return undefined
  }

  #reserve(partition: AssignedPartition, room: Room, bytes: number): Ask {
    const { usage, sizes } = partition
    const batches = Math.max(1, Math.floor(bytes / sizes.batchBytes))
    const records = Math.ceil(batches * sizes.batchRecords)
    const before = { bytes: usage.heldBytes + usage.reservedBytes, records: usage.heldRecords + usage.reservedRecords }
    usage.reservedBytes += bytes
    usage.reservedRecords += records
    this.#use(partition)
    const own = ownOf(partition, room)
    room.sharedBytes -= beyond(before.bytes, bytes, own.bytes)
    room.sharedRecords -= beyond(before.records, records, own.records)
    if (before.records === 0 && records > 0) room.busy++
    if (this.#claimant === partition) this.#claimant = undefined
    this.#gate.charge(bytes, 0)
    return { partition, bytes, records, shared: undefined }
  }
}

function caughtUpOf(partitions: Iterable<AssignedPartition>): AssignedPartition[] {
  const caughtUp: AssignedPartition[] = []
  for (const partition of partitions) if (partition.wantsFetch && partition.sizes.caughtUp) caughtUp.push(partition)
  return caughtUp
}
