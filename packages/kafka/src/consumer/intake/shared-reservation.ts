import { fitsOwn, ownOf, type Room } from './budget-room.ts'
import type { Ask } from './intake.ts'
import type { AssignedPartition } from '../partition.ts'

/** Caught-up partitions use at most this part of what is left of the common half, so that brokers leave each other some. */
const PART_OF_COMMON = 1 / 8
/** That part is never less than this, if there is as much. */
const LEAST_OF_COMMON = 4 * 1_024

/**
 * One reservation for all caught-up partitions of one fetch. Few of them will bring anything, and any of them may use
 * it: the broker fills the answer from those that have records, up to the limit of the request.
 */
export interface SharedReservation {
  /** Bytes that are still reserved. */
  leftBytes: number
  /** Of these, bytes that were taken from the common half. */
  commonBytes: number
  /** Partitions whose answer is not settled yet; the rest is given back with the last one. */
  open: number
}

export interface SharedLimits {
  /** No partition has a claim on the common half. */
  readonly mayShare: boolean
  /** As many partitions may always have something to handle, whatever the count of records says. */
  readonly busyPartitions: number
  /** For all together. */
  readonly maxBytes: number
}

/**
 * Reserves once for all of these partitions that may bring something in. Each may bring a batch as large as those it
 * had lately; where neither its own share nor the common half has room for that much, as much as there is room for.
 */
export function reserveTogether(
  partitions: readonly AssignedPartition[],
  room: Room,
  limits: SharedLimits,
): { readonly asks: readonly Ask[]; readonly reservation: SharedReservation } {
  const reservation: SharedReservation = { leftBytes: 0, commonBytes: 0, open: 0 }
  const asks: Ask[] = []
  if (partitions.length === 0 || limits.maxBytes <= 0) return { asks, reservation }
  const sharedBytes = limits.mayShare ? partOf(room.sharedBytes) : 0
  const sharesRecords = limits.mayShare && room.sharedRecords > 0
  let largest = 0
  let needsSlot = false
  for (const partition of partitions) {
    const { usage, sizes } = partition
    const own = ownOf(partition, room)
    const usedRecords = usage.heldRecords + usage.reservedRecords
    const hasRecords = sharesRecords || fitsOwn(partition, Math.max(0, own.records - usedRecords))
    if (!hasRecords && usedRecords > 0) continue
    const ownBytes = Math.max(0, own.bytes - usage.heldBytes - usage.reservedBytes)
    const bytes = Math.min(sizes.batchBytes, ownBytes + sharedBytes)
    if (bytes === 0) continue
    needsSlot ||= !hasRecords
    largest = Math.max(largest, bytes)
    reservation.leftBytes += bytes
    reservation.commonBytes += Math.max(0, bytes - ownBytes)
    asks.push({ partition, bytes, records: 0, shared: reservation })
  }
  const ownBytes = reservation.leftBytes - reservation.commonBytes
  reservation.commonBytes = Math.min(reservation.commonBytes, sharedBytes)
  // Past the limit of records, no more than a batch for each free slot; one at least, so that none waits behind others.
  const forSlots = needsSlot ? largest * Math.max(1, limits.busyPartitions - room.busy) : Infinity
  reservation.leftBytes = Math.min(ownBytes + reservation.commonBytes, limits.maxBytes, forSlots)
  reservation.commonBytes = Math.min(reservation.commonBytes, reservation.leftBytes)
  reservation.open = asks.length
  return { asks, reservation }
}

/** An answer brought this much in: returns what is not reserved any more; with the last answer all that is left. */
export function giveBack(reservation: SharedReservation, bytes: number) {
  reservation.open--
  const isLast = reservation.open === 0
  const given = isLast ? reservation.leftBytes : Math.min(bytes, reservation.leftBytes)
  const ofCommon = isLast ? reservation.commonBytes : Math.min(bytes, reservation.commonBytes)
  reservation.leftBytes -= given
  reservation.commonBytes -= ofCommon
  return { bytes: given, commonBytes: ofCommon }
}

function partOf(sharedBytes: number): number {
  return Math.max(0, Math.floor(Math.max(sharedBytes * PART_OF_COMMON, Math.min(sharedBytes, LEAST_OF_COMMON))))
}
