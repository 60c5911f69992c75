import type { Priority } from '@sluice/flow'
import type { AnyTopic } from '../record/sources.ts'
import type { Invocation } from './dispatch/invocation.ts'
import { MapBudget } from './commit/map-budget.ts'
import type { RetryBacklog } from './failure/retry-backlog.ts'
import type { PartitionLog } from './intake/partition-log.ts'

/**
 * `starting`: assigned, its position not known yet. `active`: fetched and handled. `draining`: being given back, only
 * what already runs goes on. `released`: gone; whatever still comes for it is discarded.
 */
export type PartitionPhase = 'starting' | 'active' | 'draining' | 'released'

/** What one partition has in memory, and what it may get from the fetch under way. */
export interface Usage {
  /** Records in memory. */
  heldRecords: number
  /** Bytes in memory. */
  heldBytes: number
  /** Of the held bytes, those that decompression added. */
  expandedBytes: number
  /** Of the held bytes, those of record objects and their headers. */
  objectBytes: number
  /** Records that the fetch under way may bring. */
  reservedRecords: number
  /** Bytes that the fetch under way may bring. */
  reservedBytes: number
}

/** What its batches are like, to ask for about as much as there is room for. */
export interface BatchSizes {
  /** Of a large batch lately, with its header; what one fetch must at least ask for. */
  batchBytes: number
  batchRecords: number
  /** The last answer left nothing behind in the log. */
  caughtUp: boolean
  /** Answers since the last one that held a whole batch. */
  cutInARow: number
  /** Where the last answer held bytes that are no batch; -1: nowhere. */
  damagedAt: number
}

/**
 * `idle`: nothing to do. `ready`: in line. `running`: has a slot. `backoff`: its record waits for another attempt,
 * without a slot. `held`: its record is on its way elsewhere. `parked`: waits for room to open its next batch. `full`:
 * waits for its offset map to become smaller.
 */
export type WorkStatus = 'idle' | 'ready' | 'running' | 'backoff' | 'held' | 'parked' | 'full'

/** For the order of handling: what becomes of a partition next. */
export interface Work {
  status: WorkStatus
  /** Order by partition: the call that is out, or waits for its next attempt. */
  invocation: Invocation | undefined
  /** Monotonic: in line since. */
  readySinceMs: number
  /** Records it may still take before others have their turn. */
  turnLeft: number
  /** Several lanes to a partition: what was taken and is not finished, by where it starts; the oldest first. */
  readonly unfinished: Map<number, Invocation>
}

export const FIRST_BATCH_BYTES = 64 * 1_024
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
  /** Of its topic. */
  priority: Priority = 'medium'
  /** By the user; dies with the assignment. */
  paused = false
  /** Where the next fetch starts; -1 while it is not known. */
  position = -1
  /** Of the last batch fetched, for the broker's check against a diverging log; -1 unknown. */
  lastEpoch = -1
  highWatermark = -1
  /** Up to where the group's offset is known to be. */
  committed = -1
  /** When that was last written; monotonic. */
  committedAtMs = -Infinity
  /** The tracker's revision that is known to be committed, offset map included. */
  committedRevision = 0
  /** How many partitions the topic had when the group began to read it, for commits that have to say so; -1: none. */
  origin = -1
  /** Where its records wait that are to be tried again after long, if they may. */
  retries: RetryBacklog | undefined
  /** The partition whose records wait in this one: it is no part of the assignment, and lives as long as that one. */
  retryOf: AssignedPartition | undefined
  /** Set once the position is known. */
  log: PartitionLog | undefined
  /** How long the offset map may become. */
  readonly mapBudget = new MapBudget()
  readonly work: Work = { status: 'idle', invocation: undefined, readySinceMs: 0, turnLeft: 0, unfinished: new Map() }
  readonly usage: Usage = {
    heldRecords: 0,
    heldBytes: 0,
    expandedBytes: 0,
    objectBytes: 0,
    reservedRecords: 0,
    reservedBytes: 0,
  }
  readonly sizes: BatchSizes = {
    batchBytes: FIRST_BATCH_BYTES,
    batchRecords: FIRST_BATCH_RECORDS,
    caughtUp: true,
    cutInARow: 0,
    damagedAt: -1,
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
    return this.log === undefined ? -1 : this.log.tracker.position
  }

  get isLive(): boolean {
    return this.phase === 'starting' || this.phase === 'active'
  }

  get mayHandle(): boolean {
    return this.phase === 'active' && !this.paused
  }

  get takesAnswer(): boolean {
    return this.phase === 'active'
  }

  get isCaughtUp(): boolean {
    return this.sizes.caughtUp
  }

  get wantsFetch(): boolean {
    return this.mayHandle && this.position >= 0
  }

  get place(): { topic: string; partition: number; offset: number } {
    return { topic: this.topicName, partition: this.partition, offset: this.finishedTo }
  }
}
