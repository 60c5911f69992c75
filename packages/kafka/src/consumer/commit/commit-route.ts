import type { OffsetCommit, PartitionResult } from '../../driver/driver.ts'
import type { AssignedPartition } from '../partition.ts'
import type { Output } from '../../outgoing/output.ts'

/** What one commit says of one partition. */
export interface CommitEntry extends OffsetCommit {
  readonly owner: AssignedPartition
  /** Of the tracker, to know again what was committed when the answer comes. */
  readonly revision: number
}

/** Makes offsets known to the group: by themselves, or together with what came of their records. */
export interface CommitRoute {
  /**
   * Called in the same turn in which the entries were read off their partitions. Resolves with the group's answer,
   * partition by partition; what it does not name is not committed and comes again with a later call.
   */
  commit(entries: readonly CommitEntry[]): Promise<readonly PartitionResult[]>
  readonly outputs?: OutputSink
}

/** Takes what comes of records, from the turn in which they are finished until it is committed with them. */
export interface OutputSink {
  /** So much waits for a commit that no handler may begin. */
  readonly isFull: boolean
  /** `start`: where the offsets begin that were finished. */
  finished(partition: AssignedPartition, start: number, outputs: readonly Output[]): void
  /** The partition goes back: what came of offsets from here on is void. Nothing of it is charged any more. */
  rewound(partition: AssignedPartition, from: number): void
  /** It is somebody else's now, and so is what was not committed. */
  released(partition: AssignedPartition): void
}
