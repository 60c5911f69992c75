// What `inspect()` of a consumer returns. Counters begin at 0 with the consumer; bytes are bytes of memory.
import type { GateState } from '@sluice/flow'
import type { FetchLoopsState } from '../fetch/fetch-loops.ts'
import type { OffsetPlace, PartitionPlace } from '../record/places.ts'
import type { LetterCounts } from './letter-counts.ts'
import type { MembershipState } from './group/membership.ts'
import type { PartitionPhase, Usage } from './partition.ts'
import type { PressureState } from './pressure.ts'
import type { SkippedRecords } from '../incoming/unreadable.ts'

/** The state of a consumer. What belongs to its stay in the group is left out until `run` or `stream` has begun. */
export interface ConsumerState extends Partial<ConsumerSessionState> {
  readonly group: string
  readonly state: 'open' | 'running' | 'closing' | 'closed'
  /** How many dead letters it has written. */
  readonly deadLetters: LetterCounts
}

/** The part of a consumer's state that begins with `run` or `stream`. */
export interface ConsumerSessionState {
  /** The member of the group. */
  readonly membership: ConsumerMembershipState
  /** The memory budget of fetched records. */
  readonly gate: ConsumerGateState
  /** Where records are fetched. */
  readonly fetcher: FetchLoopsState
  /** The calls of handlers. */
  readonly dispatcher: ConsumerDispatcherState
  /** The commits. */
  readonly committer: ConsumerCommitterState
  /** Undefined where the option `pressure` is false. */
  readonly pressure: PressureState | undefined
  /** Topics with records that could not be read and were skipped. */
  readonly unreadable: readonly SkippedRecords[]
  /** The assigned partitions, retry topics included. */
  readonly partitions: readonly ConsumerPartitionState[]
}

/** The membership of a consumer in its group. */
export interface ConsumerMembershipState {
  readonly state: MembershipState
  readonly memberId: string
  /** The member epoch of KIP-848; 0 until the group has admitted the member. */
  readonly epoch: number
  /** Milliseconds from one heartbeat to the next, as the group asks for. */
  readonly intervalMs: number
  /** Milliseconds since the coordinator last answered. */
  readonly silentMs: number
  /** No handler begins, since the coordinator has been silent for so long that the partitions may be another member's. */
  readonly suspended: boolean
}

/** The memory budget of a consumer. */
export interface ConsumerGateState extends GateState {
  /** Of the held bytes, those that decompression added. */
  readonly expandedBytes: number
}

/** The calls of handlers. */
export interface ConsumerDispatcherState {
  /** Calls that run now. */
  readonly running: number
  /** How many may run at once. */
  readonly limit: number
  /** `fixed`, or the algorithm of the adaptive limit. */
  readonly algorithm: string
  /** Calls that run on after their timeout or the loss of their partition: their result no longer counts. */
  readonly abandoned: number
  /** Records whose handler has succeeded. */
  readonly handledRecords: number
  /** The call that has run for the longest time. */
  readonly oldest: OldestCall | undefined
  /** Keys, or partitions, whose next call begins as soon as a slot is free. */
  readonly ready: number
  /** Partitions that wait for room in memory. */
  readonly parked: number
  /** Failed records that are being written to a dead letter or retry topic. */
  readonly diverting: number
}

/** A call of a handler, by its first record. */
export interface OldestCall extends OffsetPlace {
  /** 1 for the first attempt. */
  readonly attempt: number
  /** How long it has run. */
  readonly runningMs: number
}

/** The commits of a consumer. */
export interface ConsumerCommitterState {
  /** The option of this name. */
  readonly commitIntervalMs: number
  /** Commits that succeeded. */
  readonly commits: number
  /** Commits that failed; what can be tried again was. */
  readonly failures: number
  /** Results of handlers that came after their partition was lost. */
  readonly discardedResults: number
}

/** One assigned partition. Offsets are -1 while they are not known. */
export interface ConsumerPartitionState extends PartitionPlace, Readonly<Usage> {
  /** Grows with each assignment of the partition to this consumer. */
  readonly incarnation: number
  /** Where it is between assignment and release. */
  readonly phase: PartitionPhase
  /** By `pause`. */
  readonly paused: boolean
  /** The next offset to fetch. */
  readonly position: number
  /** All records below it are finished: what is committed next. */
  readonly finishedTo: number
  /** Finished records beyond `finishedTo`. */
  readonly finishedAhead: number
  /** The offset that was committed last. */
  readonly committed: number
  /** The end of the partition, as of the last fetch. */
  readonly highWatermark: number
  /** From `finishedTo` to `highWatermark`; null while one of them is not known. */
  readonly lagRecords: number | null
}
