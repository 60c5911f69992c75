import { SluiceError } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, classify, errorCode } from '../driver/classify.ts'
import type { Isolation, ListedOffset, OffsetQuery } from '../driver/driver.ts'
import { turnBetween } from '../driver/time-slices.ts'
import { BrokerError } from '../errors.ts'
import type { Deadline } from './deadline.ts'
import type { Inquiry } from './inquiry.ts'
import type { AskBroker } from './ask-broker.ts'

/** An end of the log, or the first record at or after a time in milliseconds since the epoch. */
export type OffsetAt = 'earliest' | 'latest' | number

/** An offset of a partition. */
export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  /** -1: no record at or after the time asked for. */
  readonly offset: number
  /** Of the record there; -1 where it is not known. */
  readonly leaderEpoch: number
}

/** A partition of which something could not be found out, and why. */
export interface UnknownPartition {
  readonly topic: string
  readonly partition: number
  /** Such as a `BrokerError` `LEADER_NOT_AVAILABLE`, or a `ConnectionError` that names the leader's address. */
  readonly error: Error
}

export interface Place {
  readonly topic: string
  readonly partition: number
}

/** Offsets by place (`topic/partition`); what has none is in `errors`. */
export interface FoundOffsets {
  readonly offsets: ReadonlyMap<string, PartitionOffset>
  readonly errors: ReadonlyMap<string, Error>
}

const latest = -1
const earliest = -2

export function keyOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`
}

export function byPlace(a: Place, b: Place): number {
  return a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition
}

/**
 * Asks all leaders at the same time. Where a leader has just moved, or has just been elected, it is asked again for as
 * long as a silent broker is waited for; what is still unknown then is in `errors`. What is known of the topics has to be
 * fresh.
 */
export async function surveyOffsetsAt(
  cluster: Cluster,
  places: readonly Place[],
  at: OffsetAt,
  isolation: Isolation,
  inquiry: Inquiry,
): Promise<FoundOffsets> {
  const deadline = inquiry.deadline()
  const offsets = new Map<string, PartitionOffset>()
  const errors = new Map<string, Error>()
  for (let left = places; ;) {
    const round = await askLeaders(cluster, left, at, isolation, inquiry.ask)
    for (const [key, offset] of round.offsets) offsets.set(key, offset)
    for (const place of left) errors.delete(keyOf(place))
    for (const [key, error] of round.errors) errors.set(key, error)
    left = left.filter((place) => mayHaveMoved(round.errors.get(keyOf(place))))
    if (left.length === 0 || !(await deadline.pauses())) return { offsets, errors }
    // What a refresh fails with says less than why the leaders did not tell.
    await inquiry.refresh(cluster, [...new Set(left.map(({ topic }) => topic))]).catch(() => undefined)
  }
}

/**
 * All of them, asked for again until the deadline. What is known of the topics has to be fresh.
 * @throws ClusterTimeoutError with the last reason as its cause; BrokerError for what no waiting mends
 */
export async function offsetsAt(
  cluster: Cluster,
  places: readonly Place[],
  at: OffsetAt,
  isolation: Isolation,
  deadline: Deadline,
): Promise<readonly PartitionOffset[]> {
  const found: PartitionOffset[] = []
  let left = places
  while (left.length > 0) {
    const round = await askLeaders(cluster, left, at, isolation, deadline.ask)
    for (const offset of round.offsets.values()) found.push(offset)
    left = left.filter((place) => !round.offsets.has(keyOf(place)))
    if (left.length === 0) break
    const lasting = [...round.errors.values()].find((error) => !isRetriable(error))
    if (lasting) throw lasting
    await deadline.pause(untold(left), firstCause(left, round.errors))
    await deadline.refresh(cluster, [...new Set(left.map(({ topic }) => topic))])
  }
  return found.sort(byPlace)
}

const noLeader = errorCode('LEADER_NOT_AVAILABLE')

/** Each leader with all its partitions in one request, all leaders at the same time. */
async function askLeaders(
  cluster: Cluster,
  places: readonly Place[],
  at: OffsetAt,
  isolation: Isolation,
  ask: AskBroker,
): Promise<FoundOffsets> {
  const timestampMs = at === 'latest' ? latest : at === 'earliest' ? earliest : at
  const found: Finds = { offsets: new Map(), errors: new Map() }
  const byLeader = Map.groupBy(places, ({ topic, partition }) => cluster.leader(topic, partition))
  const asked = Array.from(byLeader, async ([leader, own]) => {
    if (leader === undefined) return own.forEach((place) => found.errors.set(keyOf(place), noLeaderOf(place)))
    const queries = own.map(({ topic, partition }) => {
      return { topic, partition, timestampMs, currentLeaderEpoch: cluster.leaderEpoch(topic, partition) }
    })
    const question = () => cluster.driver.listOffsets(leader, isolation, queries)
    await turnBetween(queries.length)
    await askLeader(() => ask(leader, 'ListOffsets', question), queries, found)
  })
  await Promise.all(asked)
  await turnBetween(places.length)
  return found
}

interface Finds {
  readonly offsets: Map<string, PartitionOffset>
  readonly errors: Map<string, Error>
}

async function askLeader(
  ask: () => Promise<readonly ListedOffset[]>,
  queries: readonly OffsetQuery[],
  { offsets, errors }: Finds,
): Promise<void> {
  try {
    for (const { topic, partition, errorCode: code, offset, leaderEpoch } of await ask()) {
      const key = keyOf({ topic, partition })
      if (code === 0) offsets.set(key, { topic, partition, offset, leaderEpoch })
      else errors.set(key, brokerError(code, null, { topic, partition }))
    }
    for (const query of queries) {
      const key = keyOf(query)
      if (!offsets.has(key) && !errors.has(key)) errors.set(key, unanswered(query))
    }
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    for (const query of queries) errors.set(keyOf(query), error)
  }
}

function noLeaderOf({ topic, partition }: Place): BrokerError {
  return brokerError(noLeader, 'it has no leader now', { topic, partition })
}

function unanswered({ topic, partition }: Place): BrokerError {
  return brokerError(-1, 'the answer to ListOffsets leaves it out', { topic, partition })
}

function isRetriable(error: Error): boolean {
  return error instanceof SluiceError && error.retriable
}

/** The leader that was asked does not lead any more. One that is known to have none is not asked for again. */
function mayHaveMoved(error: Error | undefined): boolean {
  return error instanceof BrokerError && classify(error.apiCode).refreshMetadata && error.apiCode !== noLeader
}

function untold(places: readonly Place[]): string {
  const names = [...new Set(places.map(({ topic }) => topic))]
  const partitions = places.length === 1 ? '1 partition' : `${places.length} partitions`
  return `the offsets of ${partitions} of ${names.join(', ')} were not told`
}

function firstCause(places: readonly Place[], errors: ReadonlyMap<string, Error>): Error | undefined {
  for (const place of places) {
    const error = errors.get(keyOf(place))
    if (error) return error
  }
  return undefined
}
