import { Gate, type GateState } from '@sluice/flow'
import type { FetchAsk, FetchBudget, FetchPlan } from './broker-loop.ts'
import { divideBudget } from './budget-division.ts'
import type { AssignedPartition } from './partition.ts'

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
}

/** A share of the budget. */
interface Share {
  readonly bytes: number
  readonly records: number
}

/** What each partition owns, and what all together leave of the part that belongs to nobody. */
interface Room {
  readonly ofHigh: Share
  readonly ofOthers: Share
  readonly commonBytes: number
  sharedBytes: number
  sharedRecords: number
  /** Partitions that have records or are about to. */
  busy: number
}

/**
 * The consumer's budget. Bytes are reserved before a fetch and refunded on the answer; records are counted when they
 * arrive and stop the next fetch. Half of the budget is divided among the partitions, each owning its share, so that
 * none starves behind others; the other half goes to whoever asks first. Who asks in vain has the first claim on it.
 * Partitions of topics declared high own a quarter of the budget together. Under pressure only a part of it is used.
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
  #claimant: AssignedPartition | undefined
  /** Somebody was refused since the last time there was room. */
  #refused = false
  /** Bytes that decompression added to what was fetched. */
  #expandedBytes = 0
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
  }

  /** Takes all that the partition holds out of the books, except what a fetch under way has reserved. */
  remove(partition: AssignedPartition): void {
    if (!this.#partitions.has(partition)) return
    this.withdraw(partition)
    this.releaseAll(partition)
    this.#partitions.delete(partition)
  }

  /** Nothing that the partition has in memory is needed any more. */
  releaseAll(partition: AssignedPartition): void {
    const { usage } = partition
    this.shrink(partition, usage.expandedBytes)
    this.release(partition, usage.heldBytes, usage.heldRecords)
  }

  /** Reserves for as many of the candidates as there is room for, in their order. */
  plan(candidates: Iterable<AssignedPartition>): FetchPlan<AssignedPartition, Ask> {
    const room = this.#room()
    const asks: Ask[] = []
    let left = this.#options.fetchMaxBytes
    let waiting = false
    for (const partition of candidates) {
      const ask = left > 0 ? this.#ask(partition, room, left) : undefined
      if (ask === undefined) {
        waiting = true
        continue
      }
      asks.push(ask)
      left -= ask.bytes
    }
    if (waiting) this.#refused = true
    return { asks, waiting }
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
    usage.reservedBytes -= ask.bytes
    usage.reservedRecords -= ask.records
    usage.heldBytes += bytes
    usage.heldRecords += records
    this.#gate.charge(bytes, records)
    this.#gate.release(ask.bytes, 0)
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
    this.#expandedBytes += bytes
    this.#gate.charge(bytes, 0)
  }

  /** That batch is done; its bytes are released with the others. */
  shrink(partition: AssignedPartition, bytes: number): void {
    if (!this.#partitions.has(partition)) return
    partition.usage.expandedBytes -= bytes
    this.#expandedBytes -= bytes
  }

  inspect(): GateState & { readonly expandedBytes: number } {
    return { ...this.#gate.inspect(), expandedBytes: this.#expandedBytes }
  }

  #tellRoom(): void {
    if (!this.#refused) return
    this.#refused = false
    this.#options.onRoom()
  }

  get #maxBytes(): number {
    return Math.floor(this.#options.maxBytes * this.#share)
  }

  #room(): Room {
    let high = 0
    for (const { priority } of this.#partitions) if (priority === 'high') high++
    const parts = divideBudget(this.#partitions.size, high)
    const share = (part: number): Share => ({
      bytes: Math.floor(this.#maxBytes * part),
      records: this.#options.maxRecords * this.#share * part,
    })
    const common = share(parts.common)
    const room: Room = {
      ofHigh: share(parts.ofHigh),
      ofOthers: share(parts.ofOthers),
      commonBytes: common.bytes,
      sharedBytes: common.bytes,
      sharedRecords: common.records,
      busy: 0,
    }
    for (const partition of this.#partitions) deduct(room, partition)
    return room
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
    // Where it is urgent, a batch may pass the own share of records.
    const fitsOwn = partition.priority === 'high' ? ownRecords > 0 : ownRecords >= sizes.batchRecords
    const hasRoom = sharedRecords > 0 || fitsOwn || fillsSlot
    if (!hasRoom) return this.#refuse(partition, mayShare)

    const wanted = this.#wantedBytes(partition, ownRecords + sharedRecords)
    const granted = Math.min(wanted, bytes)
    const passesAlone = sizes.batchBytes > own.bytes + room.commonBytes && usedBytes === 0 && commonIsUnused(room)
    if (granted < sizes.batchBytes && !passesAlone) return this.#refuse(partition, mayShare)
    const amount = passesAlone ? sizes.batchBytes : Math.max(sizes.batchBytes, Math.min(granted, left))
    if (!passesAlone && this.#gate.bytes + amount > this.#maxBytes) return this.#refuse(partition, mayShare)
    return this.#reserve(partition, room, amount)
  }

  /** About as many whole batches as there is room for records, at least one. Nothing is known to wait: one. */
  #wantedBytes({ sizes }: AssignedPartition, records: number): number {
    if (sizes.caughtUp) return sizes.batchBytes
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
    // A partition that has read all there was is not expected to bring anything: it reserves bytes alone.
    const records = sizes.caughtUp ? 0 : Math.ceil(batches * sizes.batchRecords)
    const before = { bytes: usage.heldBytes + usage.reservedBytes, records: usage.heldRecords + usage.reservedRecords }
    usage.reservedBytes += bytes
    usage.reservedRecords += records
    const own = ownOf(partition, room)
    room.sharedBytes -= beyond(before.bytes, bytes, own.bytes)
    room.sharedRecords -= beyond(before.records, records, own.records)
    if (before.records === 0 && records > 0) room.busy++
    if (this.#claimant === partition) this.#claimant = undefined
    this.#gate.charge(bytes, 0)
    return { partition, bytes, records }
  }
}

function ownOf({ priority }: AssignedPartition, { ofHigh, ofOthers }: Room): Share {
  return priority === 'high' ? ofHigh : ofOthers
}

/** Takes off what the partition holds beyond its own share. */
function deduct(room: Room, partition: AssignedPartition): void {
  const { heldBytes, reservedBytes, heldRecords, reservedRecords } = partition.usage
  const own = ownOf(partition, room)
  room.sharedBytes -= beyond(0, heldBytes + reservedBytes, own.bytes)
  room.sharedRecords -= beyond(0, heldRecords + reservedRecords, own.records)
  if (heldRecords + reservedRecords > 0) room.busy++
}

const commonIsUnused = ({ sharedBytes, commonBytes }: Room): boolean => sharedBytes >= commonBytes

/** How much of an addition goes beyond the own share. */
function beyond(before: number, added: number, own: number): number {
  return Math.max(0, before + added - own) - Math.max(0, before - own)
}
