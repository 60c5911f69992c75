import { findCoordinatorV6, metadataV12 } from '@platformatic/kafka'
import { brokerError } from '../classify.ts'
import type { Address, Connections } from '../connections.ts'
import type { BrokerNode, ClusterMetadata, CoordinatorKind, PartitionMetadata, TopicMetadata } from '../driver.ts'

type AnsweredTopic = Awaited<ReturnType<typeof metadataV12.api.async>>['topics'][number]

/** Never creates a topic. */
export async function metadata(
  connections: Connections,
  from: Address,
  topics: readonly string[] | null,
): Promise<ClusterMetadata> {
  const names = topics && [...topics]
  const answer = await connections.request('control', from, 'Metadata', metadataV12.api, names, false, false)
  return {
    clusterId: answer.clusterId ?? null,
    controllerId: answer.controllerId,
    brokers: answer.brokers.map(({ nodeId, host, port }) => ({ id: nodeId, host, port })),
    topics: answer.topics.map(topicOf),
  }
}

export async function findCoordinator(
  connections: Connections,
  from: Address,
  kind: CoordinatorKind,
  key: string,
): Promise<BrokerNode> {
  const type = kind === 'group' ? 0 : 1
  const answer = await connections.request('control', from, 'FindCoordinator', findCoordinatorV6.api, type, [key])
  const found = answer.coordinators[0]
  if (!found) throw brokerError(-1, 'the answer names no coordinator', { [kind]: key })
  if (found.errorCode !== 0) throw brokerError(found.errorCode, found.errorMessage ?? null, { [kind]: key })
  return { id: found.nodeId, host: found.host, port: found.port }
}

function topicOf(topic: AnsweredTopic): TopicMetadata {
  const partitions = topic.partitions.map((partition): PartitionMetadata => ({
    partition: partition.partitionIndex,
    errorCode: partition.errorCode,
    leader: partition.leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicas: partition.replicaNodes,
    inSync: partition.isrNodes,
  }))
  partitions.sort((a, b) => a.partition - b.partition)
  return {
    name: topic.name ?? '',
    id: topic.topicId,
    errorCode: topic.errorCode,
    internal: topic.isInternal,
    partitions,
  }
}
