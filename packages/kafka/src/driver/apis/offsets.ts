import { listOffsetsV9, offsetCommitV9, offsetFetchV9, offsetForLeaderEpochV4 } from '@platformatic/kafka'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import { groupBy } from '../group-by.ts'
import type {
  BrokerNode,
  CommitRequest,
  CommittedOffset,
  FetchOffsetsRequest,
  Isolation,
  LeaderEpochEnd,
  LeaderEpochQuery,
  ListedOffset,
  OffsetQuery,
  PartitionResult,
} from '../driver.ts'

/** A client, not a replica. */
const noReplica = -1

export async function listOffsets(
  connections: Connections,
  broker: BrokerNode,
  isolation: Isolation,
  queries: readonly OffsetQuery[],
): Promise<readonly ListedOffset[]> {
  const topics = Array.from(
    groupBy(queries, (query) => query.topic),
    ([name, ofTopic]) => ({
      name,
      partitions: ofTopic.map(({ partition, currentLeaderEpoch, timestampMs }) => ({
        partitionIndex: partition,
        currentLeaderEpoch,
        timestamp: BigInt(timestampMs),
      })),
    }),
  )
  const level = isolation === 'read_committed' ? 1 : 0
  const api = listOffsetsV9.api
  const answer = await connections.request('control', broker, 'ListOffsets', api, noReplica, level, topics)
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => ({
      topic: name,
      partition: partition.partitionIndex,
      errorCode: partition.errorCode,
      offset: Number(partition.offset),
      timestampMs: Number(partition.timestamp),
      leaderEpoch: partition.leaderEpoch,
    })),
  )
}

export async function offsetsForLeaderEpoch(
  connections: Connections,
  broker: BrokerNode,
  queries: readonly LeaderEpochQuery[],
): Promise<readonly LeaderEpochEnd[]> {
  const topics = Array.from(
    groupBy(queries, (query) => query.topic),
    ([name, ofTopic]) => ({
      name,
      partitions: ofTopic.map(({ partition, currentLeaderEpoch, leaderEpoch }) => ({
        partitionIndex: partition,
        currentLeaderEpoch,
        leaderEpoch,
      })),
    }),
  )
  const api = offsetForLeaderEpochV4.api
  const answer = await connections.request('control', broker, 'OffsetForLeaderEpoch', api, noReplica, topics)
  return answer.topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, errorCode, leaderEpoch, endOffset }) => ({
      topic,
      partition,
      errorCode,
      leaderEpoch,
      endOffset: Number(endOffset),
    })),
  )
}

export async function commitOffsets(
  connections: Connections,
  coordinator: BrokerNode,
  { group, memberId, memberEpoch, instanceId, offsets }: CommitRequest,
): Promise<readonly PartitionResult[]> {
  const topics = Array.from(
    groupBy(offsets, (commit) => commit.topic),
    ([name, ofTopic]) => ({
      name,
      partitions: ofTopic.map(({ partition, offset, leaderEpoch, metadata }) => ({
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: leaderEpoch,
        committedMetadata: metadata,
      })),
    }),
  )
  const answer = await connections.request(
    'coordinator',
    coordinator,
    'OffsetCommit',
    offsetCommitV9.api,
    group,
    memberEpoch,
    memberId,
    instanceId,
    topics,
  )
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, errorCode }) => ({ topic: name, partition: partitionIndex, errorCode })),
  )
}

export async function fetchOffsets(
  connections: Connections,
  coordinator: BrokerNode,
  { group, memberId, memberEpoch, requireStable, topics }: FetchOffsetsRequest,
): Promise<readonly CommittedOffset[]> {
  const asked = topics?.map(({ topic, partitions }) => ({ name: topic, partitionIndexes: [...partitions] })) ?? null
  const groups = [{ groupId: group, memberId, memberEpoch, topics: asked }]
  const api = offsetFetchV9.api
  const answer = await connections.request('coordinator', coordinator, 'OffsetFetch', api, groups, requireStable)
  const found = answer.groups[0]
  if (!found) throw brokerError(-1, 'the answer names no group', { group })
  if (found.errorCode !== 0) throw brokerError(found.errorCode, null, { group })
  return found.topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => ({
      topic: name,
      partition: partition.partitionIndex,
      errorCode: partition.errorCode,
      offset: Number(partition.committedOffset),
      leaderEpoch: partition.committedLeaderEpoch,
      metadata: partition.metadata ?? '',
    })),
  )
}
