import { type BudgetDivision, divideBudget } from './budget-division.ts'
import type { AssignedPartition } from '../partition.ts'

/** A share of the budget. */
export interface Share {
  readonly bytes: number
  readonly records: number
}

/** What each partition owns, and what all together leave of the part that belongs to nobody. */
export interface Room {
  readonly ofHigh: Share
  readonly ofOthers: Share
  readonly commonBytes: number
  sharedBytes: number
  sharedRecords: number
  /** Partitions that have records or are about to. */
  busy: number
}

export function divisionOf(partitions: ReadonlySet<AssignedPartition>): BudgetDivision {
  let high = 0
  for (const { priority } of partitions) if (priority === 'high') high++
  return divideBudget(partitions.size, high)
}

/** The room in a budget of which nothing is used yet. */
export function emptyRoom(parts: BudgetDivision, budget: Share): Room {
  const share = (part: number): Share => ({
    bytes: Math.floor(budget.bytes * part),
    records: budget.records * part,
  })
  const common = share(parts.common)
  return {
    ofHigh: share(parts.ofHigh),
    ofOthers: share(parts.ofOthers),
    commonBytes: common.bytes,
    sharedBytes: common.bytes,
    sharedRecords: common.records,
    busy: 0,
  }
}

export function ownOf({ priority }: AssignedPartition, { ofHigh, ofOthers }: Room): Share {
  return priority === 'high' ? ofHigh : ofOthers
}

/** Takes off what the partition holds beyond its own share. Returns whether it holds or has reserved anything. */
export function deduct(room: Room, partition: AssignedPartition): boolean {
  const { heldBytes, reservedBytes, heldRecords, reservedRecords } = partition.usage
  if (heldBytes === 0 && reservedBytes === 0 && heldRecords === 0 && reservedRecords === 0) return false
  const own = ownOf(partition, room)
  room.sharedBytes -= beyond(0, heldBytes + reservedBytes, own.bytes)
  room.sharedRecords -= beyond(0, heldRecords + reservedRecords, own.records)
  if (heldRecords + reservedRecords > 0) room.busy++
  return true
}

/** Whether the own share of records has room for a batch; for one that is urgent, a batch may pass the share. */
export function fitsOwn({ priority, sizes }: AssignedPartition, ownRecords: number): boolean {
  return priority === 'high' ? ownRecords > 0 : ownRecords >= sizes.batchRecords
}

/** No partition at all has room for records: a thousand of them need not be looked at one by one. */
export function isExhausted({ ofHigh, ofOthers, sharedRecords, busy }: Room, busyPartitions: number): boolean {
  return sharedRecords <= 0 && busy >= busyPartitions && ofHigh.records === 0 && ofOthers.records < 1
}

export const commonIsUnused = ({ sharedBytes, commonBytes }: Room): boolean => sharedBytes >= commonBytes

/** How much of an addition goes beyond the own share. */
export function beyond(before: number, added: number, own: number): number {
  return Math.max(0, before + added - own) - Math.max(0, before - own)
}
