import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, classify, errorCode } from '../driver/classify.ts'
import type { BrokerNode, CommittedOffset, Isolation, ListedOffset, OffsetQuery } from '../driver/driver.ts'
import { SluiceError } from '@sluice/flow'
import type { Deadline } from './deadline.ts'

/** An end of the log, or the first record at or after a time in milliseconds since the epoch. */
export type OffsetAt = 'earliest' | 'latest' | number

export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  /** -1: no record at or after the time asked for. */
  readonly offset: number
  readonly leaderEpoch: number
}

/** How far a group is behind in one partition. */
export interface PartitionLag {
  readonly topic: string
  readonly partition: number
  /** Null: the group has committed nothing here. */
  readonly committed: number | null
  readonly end: number
  /** Records between the two; from the start of the log where nothing is committed. */
  readonly lag: number
}

const latest = -1
const earliest = -2

/** Asks each partition's leader, again where one has moved. Sorted by topic and partition. */
export async function offsetsOf(
  cluster: Cluster,
  topics: readonly string[],
  at: OffsetAt,
  isolation: Isolation,
  deadline: Deadline,
): Promise<readonly PartitionOffset[]> {
  const places = await partitionsOf(cluster, topics, deadline)
  return await offsetsAt(cluster, places, at, isolation, deadline)
}

/** As `offsetsOf`, for these partitions alone. What is known of their topics has to be fresh. */
export async function offsetsAt(
  cluster: Cluster,
  places: readonly Place[],
  at: OffsetAt,
  isolation: Isolation,
  deadline: Deadline,
): Promise<readonly PartitionOffset[]> {
  const timestampMs = at === 'latest' ? latest : at === 'earliest' ? earliest : at
  const left = new Map(places.map((place) => [keyOf(place), { ...place, timestampMs }]))
  const found: PartitionOffset[] = []
  while (left.size > 0) {
    for (const answer of await askLeaders(cluster, [...left.values()], isolation)) {
      const { topic, partition, offset, leaderEpoch } = answer
      if (left.delete(keyOf(answer))) found.push({ topic, partition, offset, leaderEpoch })
    }
    if (left.size === 0) break
    const names = [...new Set(Array.from(left.values(), ({ topic }) => topic))]
    await deadline.pause(`${left.size} partitions of ${names.join(', ')} did not tell their offsets`)
    await cluster.refresh(names, deadline.signal)
  }
  return found.sort(byPlace)
}

/** All that the group has committed, members or not. Sorted by topic and partition. */
export async function committedOffsets(
  cluster: Cluster,
  group: string,
  deadline: Deadline,
): Promise<readonly CommittedOffset[]> {
  // What a transaction is about to commit is not committed yet; with `requireStable` it would be an error.
  const request = { group, memberId: null, memberEpoch: -1, requireStable: false, topics: null }
  const offsets = await atCoordinator(cluster, group, deadline, (coordinator) =>
    cluster.driver.fetchOffsets(coordinator, request),
  )
  for (const { errorCode, topic, partition } of offsets) {
    if (errorCode !== 0) throw brokerError(errorCode, null, { group, topic, partition })
  }
  return offsets.filter((offset) => offset.offset >= 0).sort(byPlace)
}

/** A group whose lag is asked for. */
export interface LagQuery {
  readonly group: string
  /** Counted as well, though nothing is committed there. */
  readonly topics?: readonly string[]
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
  if (names.size > 0) await cluster.refresh([...names], deadline.signal)
  const places = [...names].filter((name) => added.has(name) || !isGone(cluster, name)).flatMap(placesIn(cluster))
  const ends = await offsetsAt(cluster, places, 'latest', 'read_committed', deadline)
  const starts = offsetByPlace(await offsetsAt(cluster, places, 'earliest', 'read_committed', deadline))
  const lags = queries.map(({ group, topics = [] }) => {
    const own = committed.get(group)!
    const wanted = new Set([...topics, ...own.map(({ topic }) => topic)])
    return [
      group,
      lagIn(
        ends.filter(({ topic }) => wanted.has(topic)),
        starts,
        offsetByPlace(own),
      ),
    ] as const
  })
  return new Map(lags)
}

function lagIn(
  ends: readonly PartitionOffset[],
  starts: ReadonlyMap<string, number>,
  committed: ReadonlyMap<string, number>,
): readonly PartitionLag[] {
  return ends.map(({ topic, partition, offset: end }) => {
    const key = keyOf({ topic, partition })
    const from = committed.get(key) ?? starts.get(key) ?? end
    return { topic, partition, committed: committed.get(key) ?? null, end, lag: Math.max(0, end - from) }
  })
}

const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

/** What a group has committed in a topic outlives the topic for a while. */
function isGone(cluster: Cluster, name: string): boolean {
  return cluster.topic(name)?.errorCode === unknownTopic
}

/** Tries again, elsewhere if need be, while the group's coordinator moves or loads. */
export async function atCoordinator<Answer>(
  cluster: Cluster,
  group: string,
  deadline: Deadline,
  question: (coordinator: BrokerNode) => Promise<Answer>,
): Promise<Answer> {
  for (;;) {
    try {
      return await question(await cluster.coordinator('group', group, deadline.signal))
    } catch (error) {
      if (!(error instanceof SluiceError) || !error.retriable) throw error
      cluster.forgetCoordinator('group', group)
      await deadline.pause(`the coordinator of ${group} did not answer`, error)
    }
  }
}

type OffsetPlace = Pick<OffsetQuery, 'topic' | 'partition' | 'timestampMs'>

/** What could not be asked, or is to be asked again, is left out of the answer. */
async function askLeaders(
  cluster: Cluster,
  places: readonly OffsetPlace[],
  isolation: Isolation,
): Promise<readonly ListedOffset[]> {
  const byLeader = new Map<BrokerNode, OffsetQuery[]>()
  for (const place of places) {
    const leader = cluster.leader(place.topic, place.partition)
    if (!leader) continue
    const query = { ...place, currentLeaderEpoch: cluster.leaderEpoch(place.topic, place.partition) }
    const queries = byLeader.get(leader)
    if (queries) queries.push(query)
    else byLeader.set(leader, [query])
  }
  const found: ListedOffset[] = []
  for (const [leader, queries] of byLeader) {
    const answers = await cluster.driver.listOffsets(leader, isolation, queries).catch(skipRetriable)
    for (const answer of answers) {
      const { retriable } = classify(answer.errorCode)
      if (answer.errorCode === 0) found.push(answer)
      else if (!retriable) {
        throw brokerError(answer.errorCode, null, { topic: answer.topic, partition: answer.partition })
      }
    }
  }
  return found
}

function skipRetriable(error: unknown): readonly ListedOffset[] {
  if (error instanceof SluiceError && error.retriable) return []
  throw error
}

async function partitionsOf(
  cluster: Cluster,
  topics: readonly string[],
  deadline: Deadline,
): Promise<readonly Place[]> {
  if (topics.length > 0) await cluster.refresh(topics, deadline.signal)
  return topics.flatMap(placesIn(cluster))
}

/** The partitions of a topic, as far as is known. @throws BrokerError for one that is not there or may not be seen */
function placesIn(cluster: Cluster): (name: string) => readonly Place[] {
  return (name) => {
    const topic = cluster.topic(name)
    if (topic && topic.errorCode !== 0) throw brokerError(topic.errorCode, null, { topic: name })
    return topic?.partitions.map(({ partition }) => ({ topic: name, partition })) ?? []
  }
}

interface Place {
  readonly topic: string
  readonly partition: number
}

function keyOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`
}

function offsetByPlace(offsets: ReadonlyArray<Place & { readonly offset: number }>): Map<string, number> {
  return new Map(offsets.map((one) => [keyOf(one), one.offset]))
}

function byPlace(a: Place, b: Place): number {
  return a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition
}
