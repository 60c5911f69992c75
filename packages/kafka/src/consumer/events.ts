import type { LetterPart } from '../failure/dead-letter-headers.ts'

import type { PartitionPlace, OffsetPlace } from '../record/places.ts'
import type { UnreadableRange } from '../incoming/unreadable.ts'

/** What a consumer emits while it runs. None of these stops it; what does, `run` rejects with. */
export type ConsumerEvents = {
  /** Partitions came and their positions are known. */
  assigned: { readonly partitions: readonly OffsetPlace[] }
  /** Partitions were given back in order: drained, committed up to `offset`, released. */
  revoked: { readonly partitions: readonly OffsetPlace[]; readonly abandonedHandlers: number }
  /** The group took partitions away without asking: what was handled and not committed is handled again elsewhere. */
  lost: { readonly partitions: readonly OffsetPlace[]; readonly reason: unknown }
  /** Next offsets to read, as the group now keeps them. */
  committed: { readonly offsets: readonly OffsetPlace[] }
  /** A position was found by the reset policy and not by a commit. */
  reset: OffsetPlace & { readonly from: number | null; readonly reason: ResetReason }
  /**
   * A new group began at the end of a topic that holds records, since no `reset` was set: these records are not read.
   */
  startedAtEnd: { readonly topic: string; readonly partitions: readonly PartitionPlace[]; readonly records: number }
  /** A topic was deleted and created again: what it held is gone, its partitions start anew. */
  topicRecreated: { readonly topic: string; readonly oldId: string; readonly newId: string }
  /** A subscribed topic does not exist (yet). */
  topicMissing: { readonly topic: string }
  /** A handler failed, or put its record off (`PostponedError`), which waits for another attempt. */
  handlerFailed: OffsetPlace & { readonly attempt: number; readonly retryInMs: number; readonly error: unknown }
  /** A handler passed `handlerTimeoutMs`; its signal was aborted. */
  handlerTimedOut: OffsetPlace & { readonly attempt: number; readonly timeoutMs: number }
  /** A handler did not settle after its signal was aborted; it may still have effects. */
  handlerAbandoned: OffsetPlace & { readonly attempt: number }
  /**
   * A record that failed for good is safe in the topic `to`, and counts as finished. Emitted when readers of that topic
   * can see it: by a pipe once the transaction is committed. `omitted`: what the topic was too small for.
   */
  deadLettered: OffsetPlace & {
    readonly to: string
    readonly attempts: number
    readonly error: unknown
    readonly omitted: readonly LetterPart[]
  }
  /**
   * A dead letter could not be written. It is tried again, and its lane waits. A `DeadLetterRefusedError` says what has to
   * be granted.
   */
  deadLetterFailed: OffsetPlace & { readonly error: unknown }
  /** Records could not be read and were skipped, since `unreadable` is `skip`: they count as finished. */
  unreadable: UnreadableRange
  /** A record has been handled for `stuckAfterMs`, and everything behind it in its lane waits for it alone. */
  stuck: OffsetPlace & { readonly key: unknown; readonly runningMs: number; readonly attempt: number }
  /** No heartbeat was answered for `sessionTimeoutMs`: nothing new is handled until one is. */
  suspended: { readonly silentMs: number }
  resumed: { readonly silentMs: number }
  /** A condition of pressure holds, or holds no longer; `all` names those that do. */
  pressure: {
    readonly condition: ConsumerPressure
    readonly active: boolean
    readonly value: number
    readonly all: readonly ConsumerPressure[]
  }
  /** No broker of the cluster can be reached. */
  clusterLost: { readonly reason: unknown }
  /** One can be reached again. */
  clusterBack: { readonly lostMs: number }
  /**
   * The records of a partition behind `offset` have not become visible for 30 s: a transaction that is still open holds
   * them back. Told once for each such offset.
   */
  stableOffsetHeld: OffsetPlace & { readonly highWatermark: number; readonly heldMs: number }
  /** Something failed that is tried again. */
  error: { readonly during: ConsumerActivity; readonly error: unknown }
}

/** Why a position had to be reset. */
export type ResetReason = 'no_committed_offset' | 'offset_out_of_range' | 'log_diverged'
/** What a consumer was doing when something failed. */
export type ConsumerActivity =
  | 'metadata'
  | 'heartbeat'
  | 'leave'
  | 'positions'
  | 'fetch'
  | 'commit'
  | 'state_file'
  | 'dead_letter'
  | 'retry_topic'
  | 'priority'

/**
 * `slots`: fewer than two handlers more could run, the normal state of a busy consumer. `handlingTime`: handlers take
 * more than 5 s in the mean. `memory`: over 0.8 of what the process may have. `cpu`: over 0.9 of its processors.
 */
export type ConsumerPressure = 'slots' | 'handlingTime' | 'memory' | 'cpu'
