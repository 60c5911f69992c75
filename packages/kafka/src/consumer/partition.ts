import type { AnyTopic } from './options.ts'
import type { Lane } from './lane.ts'

/**
 * `starting`: assigned, its position not known yet. `active`: fetched and handled. `draining`: being given back, only
 * what already runs goes on. `released`: gone; whatever still comes for it is discarded.
 */
export type PartitionPhase = 'starting' | 'active' | 'draining' | 'released'

/** What one partition has in memory, and what it may get from the fetch under way. */
export interface Usage {
  heldRecords: number
  heldBytes: number
  /** Of the held bytes, those that decompression added. */
  expandedBytes: number
  reservedRecords: number
  reservedBytes: number
}

/** What its batches are like, to ask for about as much as there is room for. */
export interface BatchSizes {
  /** Of a large batch lately, with its header; what one fetch must at least ask for. */
  batchBytes: number
  batchRecords: number
  /** The last answer left nothing behind in the log. */
  caughtUp: boolean
}

const FIRST_BATCH_BYTES = 64 * 1_024
const FIRST_BATCH_RECORDS = 256

/**
 * One assignment of one partition. When it is given back and comes again it is another object with another
 * `incarnation`, so that nothing late can be taken for news of the present one.
 */
export class AssignedPartition {
  readonly topic: AnyTopic
  readonly topicId: string
  readonly partition: number
  readonly incarnation: number
  phase: PartitionPhase = 'starting'
  /** By the user; dies with the assignment. */
  paused = false
  /** Where the next fetch starts; -1 while it is not known. */
  position = -1
  /** Of the last batch fetched, for the broker's check against a diverging log; -1 unknown. */
  lastEpoch = -1
  highWatermark = -1
  /** Up to where the group's offset is known to be. */
  committed = -1
  /** Set once the position is known. */
  lane: Lane | undefined
  readonly usage: Usage = { heldRecords: 0, heldBytes: 0, expandedBytes: 0, reservedRecords: 0, reservedBytes: 0 }
  readonly sizes: BatchSizes = {
    batchBytes: FIRST_BATCH_BYTES,
    batchRecords: FIRST_BATCH_RECORDS,
    caughtUp: true,
  }

  constructor(topic: AnyTopic, topicId: string, partition: number, incarnation: number) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.incarnation = incarnation
  }

  get topicName(): string {
    return this.topic.name
  }

  /** The next offset the group should read: what is finished without a hole. */
  get finishedTo(): number {
    return this.lane === undefined ? -1 : this.lane.tracker.position
  }

  get isLive(): boolean {
    return this.phase === 'starting' || this.phase === 'active'
  }

  get mayHandle(): boolean {
    return this.phase === 'active' && !this.paused
  }

  get wantsFetch(): boolean {
    return this.mayHandle && this.position >= 0
  }

  get place(): { topic: string; partition: number; offset: number } {
    return { topic: this.topicName, partition: this.partition, offset: this.finishedTo }
  }
}
