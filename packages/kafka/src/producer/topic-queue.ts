import { ConfigError, Ring } from '@sluice/flow'
import type { Priority } from '@sluice/flow'
import type { TopicMetadata } from '../driver/driver.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { PendingRecord } from './pending-record.ts'

/** A topic that is written to: its partitions, or, until they are known, the records that wait for them. */
export class TopicQueue {
  readonly name: string
  /** From what `partitions` was made last. */
  metadata: TopicMetadata | undefined
  readonly partitions: PartitionQueue[] = []
  /** Of these take part in the choice; fewer than `partitions` after the topic was made again with fewer. */
  partitionCount = 0
  readonly waiting = new Ring<PendingRecord>()
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

/** @throws ConfigError where the partition that a record asks for does not exist. */
export function requirePartition(topic: TopicQueue, partition: number): void {
  if (partition < topic.partitionCount) return
  throw new ConfigError('partition', partition, `a partition of ${topic.name}: 0 to ${topic.partitionCount - 1}`)
}
