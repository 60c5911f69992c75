import { answeredBy } from '../answer.ts'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import type {
  BrokerNode,
  CommitRequest,
  CommittedOffset,
  FetchOffsetsRequest,
  Isolation,
  LeaderEpochEnd,
  LeaderEpochQuery,
  ListedOffset,
  OffsetCommit,
  OffsetQuery,
  PartitionResult,
} from '../driver.ts'
import { perTopic, readByTopic, readResults, readTopics } from './by-topic.ts'

const listOffsetsApi = answeredBy(2, 9, 'listOffsetsV9', (answer) =>
  readByTopic(answer, (topic): ListedOffset => {
    const place = { topic, partition: answer.int32(), errorCode: answer.int16() }
    return { ...place, timestampMs: answer.int64(), offset: answer.int64(), leaderEpoch: answer.int32() }
  }),
)

const offsetForLeaderEpochApi = answeredBy(23, 4, 'offsetForLeaderEpochV4', (answer) =>
  readByTopic(answer, (topic): LeaderEpochEnd => {
    const place = { topic, errorCode: answer.int16(), partition: answer.int32() }
    return { ...place, leaderEpoch: answer.int32(), endOffset: answer.int64() }
  }),
)

const offsetCommitApi = answeredBy(8, 9, 'offsetCommitV9', readResults)

const offsetFetchApi = answeredBy(9, 9, 'offsetFetchV9', (answer) => {
  answer.skip(4)
  return answer.array(() => {
    answer.string()
    const offsets = readTopics(answer, (topic): CommittedOffset => {
      const place = { topic, partition: answer.int32(), offset: answer.int64(), leaderEpoch: answer.int32() }
      return { ...place, metadata: answer.string() ?? '', errorCode: answer.int16() }
    })
    const errorCode = answer.int16()
    answer.taggedFields()
    return { offsets, errorCode }
  })
})

/** A client, not a replica. */
const noReplica = -1

/** Partitions in one request: what is done with thousands at once would hold up all else. */
const listedAtOnce = 1_000

export async function listOffsets(
  connections: Connections,
  broker: BrokerNode,
  isolation: Isolation,
  queries: readonly OffsetQuery[],
): Promise<readonly ListedOffset[]> {
  const listed: ListedOffset[] = []
  for (let from = 0; from === 0 || from < queries.length; from += listedAtOnce) {
    const some = await listSome(connections, broker, isolation, queries.slice(from, from + listedAtOnce))
    for (const one of some) listed.push(one)
  }
  return listed
}

function listSome(
  connections: Connections,
  broker: BrokerNode,
  isolation: Isolation,
  queries: readonly OffsetQuery[],
): Promise<readonly ListedOffset[]> {
  const topics = perTopic(queries, ({ partition, currentLeaderEpoch, timestampMs }) => ({
    partitionIndex: partition,
    currentLeaderEpoch,
    timestamp: BigInt(timestampMs),
  }))
  const level = isolation === 'read_committed' ? 1 : 0
  return connections.request('control', broker, 'ListOffsets', listOffsetsApi, noReplica, level, topics)
}

export function offsetsForLeaderEpoch(
  connections: Connections,
  broker: BrokerNode,
  queries: readonly LeaderEpochQuery[],
): Promise<readonly LeaderEpochEnd[]> {
  const topics = perTopic(queries, ({ partition, currentLeaderEpoch, leaderEpoch }) => ({
    partitionIndex: partition,
    currentLeaderEpoch,
    leaderEpoch,
  }))
  return connections.request('control', broker, 'OffsetForLeaderEpoch', offsetForLeaderEpochApi, noReplica, topics)
}

/** Offsets as a commit of them says it, in a transaction or by itself. */
export function commitTopics(offsets: readonly OffsetCommit[]) {
  return perTopic(offsets, ({ partition, offset, leaderEpoch, metadata }) => ({
    partitionIndex: partition,
    committedOffset: BigInt(offset),
    committedLeaderEpoch: leaderEpoch,
    committedMetadata: metadata,
  }))
}

export function commitOffsets(
  connections: Connections,
  coordinator: BrokerNode,
  { group, memberId, memberEpoch, instanceId, offsets }: CommitRequest,
): Promise<readonly PartitionResult[]> {
  return connections.request(
    'coordinator',
    coordinator,
    'OffsetCommit',
    offsetCommitApi,
    group,
    memberEpoch,
    memberId,
    instanceId,
    commitTopics(offsets),
  )
}

export async function fetchOffsets(
  connections: Connections,
  coordinator: BrokerNode,
  { group, memberId, memberEpoch, requireStable, topics }: FetchOffsetsRequest,
): Promise<readonly CommittedOffset[]> {
  const asked = topics?.map(({ topic, partitions }) => ({ name: topic, partitionIndexes: [...partitions] })) ?? null
  const groups = [{ groupId: group, memberId, memberEpoch, topics: asked }]
  const [found] = await connections.request(
    'coordinator',
    coordinator,
    'OffsetFetch',
    offsetFetchApi,
    groups,
    requireStable,
  )
  if (!found) throw brokerError(-1, 'the answer names no group', { group })
  if (found.errorCode !== 0) throw brokerError(found.errorCode, null, { group })
  return found.offsets
}
