import { Ring } from '@sluice/flow/internal'
import type { Priority } from '@sluice/flow'
import { missingPartition } from '../../cluster/missing-partition.ts'
import type { TopicMetadata } from '../../driver/driver.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'

/**
 * How long the number of partitions counts as known once the cluster was asked for a partition beyond it: a loop that
 * sends to a partition that does not exist asks at most once in this time.
 */
const recountMs = 1_000

/** A topic that is written to: its partitions, and the records that wait for theirs to be known. */
export class TopicQueue {
  readonly name: string
  /** From what `partitions` was made last. */
  metadata: TopicMetadata | undefined
  readonly partitions: PartitionQueue[] = []
  /** Of these take part in the choice; fewer than `partitions` after the topic was made again with fewer. */
  partitionCount = 0
  readonly waiting = new Ring<PendingRecord>()
  /** When the cluster was asked last for partitions that records wait for, in monotonic milliseconds. */
  countedAtMs = -Infinity
  /** The metadata is being looked for. */
  locating = false
  /** Why it was not found when it was looked for last. */
  searchError: Error | undefined
  /** Where records without a key go until its open batch ends; -1: nowhere yet. */
  sticky = -1
  /** Halved whenever a broker finds a batch too large. */
  batchBytes: number

  constructor(name: string, batchBytes: number) {
    this.name = name
    this.batchBytes = batchBytes
  }

  get isKnown(): boolean {
    return this.partitionCount > 0
  }

  /** Nothing of it waits, is on its way, or is scheduled. */
  get isIdle(): boolean {
    return !this.locating && this.waiting.length === 0 && this.partitions.every(({ isIdle }) => isIdle)
  }

  /** Of those that wait for the partitions. */
  oldestWaiting(priority: Priority): PendingRecord | undefined {
    for (const record of this.waiting) if (record.priority === priority) return record
    return undefined
  }

  removeWaiting(record: PendingRecord): void {
    for (let left = this.waiting.length; left > 0; left--) {
      const other = this.waiting.shift()!
      if (other !== record) this.waiting.push(other)
    }
  }
}

/** Whether a record's partition is beyond those that are known; never for a record that asks for none. */
export function isBeyond(topic: TopicQueue, partition: number): boolean {
  return partition >= topic.partitionCount
}

/** Whether the cluster has to be asked before a partition beyond those that are known is refused. */
export function mayHaveGrown(topic: TopicQueue, nowMs: number): boolean {
  return topic.locating || nowMs - topic.countedAtMs >= recountMs
}

/** @throws ConfigError where the partition that a record asks for does not exist. */
export function requirePartition(topic: TopicQueue, partition: number): void {
  if (!isBeyond(topic, partition)) return
  throw missingPartition(topic.name, partition, topic.partitionCount)
}
