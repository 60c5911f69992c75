import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type { CommittedOffset } from '../driver/driver.ts'
import type { Deadline } from './deadline.ts'
import {
  byPlace,
  type FoundOffsets,
  keyOf,
  type OffsetAt,
  offsetsAt,
  type Place,
  surveyOffsetsAt,
} from './find-offsets.ts'
import type { Inquiry } from './inquiry.ts'
import { committedOffsets, placesIn } from './offsets.ts'

/** How far a group is behind in one partition. */
export interface PartitionLag {
  readonly topic: string
  readonly partition: number
  /** Null: the group has committed nothing here. */
  readonly committed: number | null
  /** Of the log: what lies before it was deleted. */
  readonly start: number
  /** The high watermark, whatever open transactions hold back. */
  readonly end: number
  /** Of the records up to `end`, those that an open transaction holds back from readers of what is committed. */
  readonly held: number
  /**
   * Records from the committed offset to `end`, `held` ones too; from `start` where nothing is committed, or where the
   * commit lies before it.
   */
  readonly lag: number
}

/** A partition whose lag could not be found out, and why. */
export interface UnknownLag {
  readonly topic: string
  readonly partition: number
  /** As of a PartitionLag; null: not known either. */
  readonly committed: number | null
  /** As of a PartitionLag; null: not known either. */
  readonly start: number | null
  /** As of a PartitionLag; null: not known either. */
  readonly end: number | null
  /** Not known. */
  readonly held: null
  /** Not known. */
  readonly lag: null
  readonly error: Error
}

/** A topic of which nothing could be found out, and why, such as a `BrokerError` `UNKNOWN_TOPIC_OR_PARTITION`. */
export interface UnknownTopic {
  readonly topic: string
  readonly error: Error
}

/** A group whose lag is asked for. */
export interface LagQuery {
  readonly group: string
  /** Counted as well, though nothing is committed there. */
  readonly topics?: readonly string[]
}

/** The ends of many logs, by place. */
export interface LogEnds {
  readonly starts: FoundOffsets
  /** High watermarks. */
  readonly ends: FoundOffsets
  /** Last stable offsets. */
  readonly stable: FoundOffsets
}

/**
 * Of each group, every partition of the topics that it has committed in or that `topics` adds. The ends of a topic are
 * asked for once, however many groups read it. A topic that is gone has no lag.
 */
export async function lagsOf(
  cluster: Cluster,
  queries: readonly LagQuery[],
  deadline: Deadline,
): Promise<ReadonlyMap<string, readonly PartitionLag[]>> {
  const committed = new Map<string, readonly CommittedOffset[]>()
  for (const { group } of queries) committed.set(group, await committedOffsets(cluster, group, deadline))
  const added = new Set(queries.flatMap(({ topics = [] }) => topics))
  const names = new Set([...added, ...[...committed.values()].flat().map(({ topic }) => topic)])
  if (names.size > 0) await deadline.refresh(cluster, [...names])
  const present = [...names].filter((name) => added.has(name) || !isGone(cluster, name))
  const places = present.flatMap(placesIn(cluster))
  const logs = await logEnds((at, isolation) => allOffsets(cluster, places, at, isolation, deadline))
  const lags = queries.map(({ group, topics = [] }) => {
    const own = committed.get(group)!
    const wanted = new Set([...topics, ...own.map(({ topic }) => topic)])
    const rows = lagRows(
      places.filter(({ topic }) => wanted.has(topic)),
      own,
      logs,
    )
    return [group, rows as readonly PartitionLag[]] as const
  })
  return new Map(lags)
}

/** The ends of these partitions, as far as they can be found out now. What is known of their topics has to be fresh. */
export function surveyLogEnds(cluster: Cluster, places: readonly Place[], inquiry: Inquiry): Promise<LogEnds> {
  return logEnds((at, isolation) => surveyOffsetsAt(cluster, places, at, isolation, inquiry))
}

/** The lag of each place, sorted by topic and partition. */
export function lagRows(
  places: readonly Place[],
  commits: readonly CommittedOffset[],
  logs: LogEnds,
): readonly (PartitionLag | UnknownLag)[] {
  const committed = new Map(commits.map((one) => [keyOf(one), one.offset]))
  return places.map((place) => lagRow(place, committed.get(keyOf(place)) ?? null, logs)).sort(byPlace)
}

function lagRow(place: Place, committed: number | null, { starts, ends, stable }: LogEnds): PartitionLag | UnknownLag {
  const { topic, partition } = place
  const key = keyOf(place)
  const start = starts.offsets.get(key)?.offset ?? null
  const end = ends.offsets.get(key)?.offset ?? null
  const error = starts.errors.get(key) ?? ends.errors.get(key)
  if (start === null || end === null) {
    const reason = error ?? brokerError(unknownTopic, null, { topic, partition })
    return { topic, partition, committed, start, end, held: null, lag: null, error: reason }
  }
  const held = Math.max(0, end - (stable.offsets.get(key)?.offset ?? end))
  const lag = Math.max(0, end - Math.max(committed ?? start, start))
  return { topic, partition, committed, start, end, held, lag }
}

type FindOffsets = (at: OffsetAt, isolation: 'read_committed' | 'read_uncommitted') => Promise<FoundOffsets>

async function logEnds(find: FindOffsets): Promise<LogEnds> {
  // Commits are older than the ends, and the stable offsets newer: at the same time a record that is written between the
  // two answers would count as held, though there is no transaction.
  const [starts, ends] = await Promise.all([find('earliest', 'read_uncommitted'), find('latest', 'read_uncommitted')])
  const stable = await find('latest', 'read_committed')
  return { starts, stable, ends }
}

async function allOffsets(
  cluster: Cluster,
  places: readonly Place[],
  at: OffsetAt,
  isolation: 'read_committed' | 'read_uncommitted',
  deadline: Deadline,
): Promise<FoundOffsets> {
  const found = await offsetsAt(cluster, places, at, isolation, deadline)
  return { offsets: new Map(found.map((one) => [keyOf(one), one])), errors: new Map() }
}

const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

/** What a group has committed in a topic outlives the topic for a while. */
function isGone(cluster: Cluster, name: string): boolean {
  return cluster.topic(name)?.errorCode === unknownTopic
}
