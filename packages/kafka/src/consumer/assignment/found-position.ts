import type { ResetReason } from '../events.ts'
import type { AssignedPartition } from '../partition.ts'
import type { OffsetRange } from '../commit/tracker.ts'

export interface FoundPosition {
  readonly partition: AssignedPartition
  readonly offset: number
  /** -1: unknown. */
  readonly leaderEpoch: number
  /** Where it was found by the reset policy. */
  readonly reset: ResetReason | undefined
  /** Where it is from a store, and the group's commit may be another. */
  readonly isStored?: boolean
  /** What lies beyond the offset and is finished, by the offset map of the commit. */
  readonly finished?: readonly OffsetRange[]
}
