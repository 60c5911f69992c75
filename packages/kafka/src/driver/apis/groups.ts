import {
  alterClientQuotasV1,
  consumerGroupDescribeV0,
  deleteGroupsV2,
  describeGroupsV5,
  listGroupsV5,
  offsetDeleteV0,
} from '@platformatic/kafka'
import { brokerError } from '../classify.ts'
import type { Address, Connections } from '../connections.ts'
import { readClassicAssignment } from './classic-assignment.ts'
import type {
  BrokerNode,
  DescribedClassicGroup,
  DescribedGroup,
  GroupResult,
  ListedGroup,
  PartitionKey,
  PartitionResult,
} from '../driver.ts'
import { perTopic } from './by-topic.ts'

/** The groups whose coordinator this broker is. */
export async function listGroups(connections: Connections, broker: BrokerNode): Promise<readonly ListedGroup[]> {
  const answer = await connections.request('admin', broker, 'ListGroups', listGroupsV5.api, [], [])
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, null, { api: 'ListGroups', broker: broker.id })
  return answer.groups.map(({ groupId, groupState, groupType }) => ({
    group: groupId,
    state: groupState,
    type: groupType,
  }))
}

export async function describeConsumerGroups(
  connections: Connections,
  coordinator: Address,
  groups: readonly string[],
): Promise<readonly DescribedGroup[]> {
  const api = consumerGroupDescribeV0.api
  const answer = await connections.request('admin', coordinator, 'ConsumerGroupDescribe', api, [...groups], false)
  return answer.groups.map((group) => ({
    group: group.groupId,
    errorCode: group.errorCode,
    errorMessage: group.errorMessage ?? null,
    state: group.groupState,
    epoch: group.groupEpoch,
    assignor: group.assignorName,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId ?? null,
      epoch: member.memberEpoch,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: member.assignment.topicPartitions.map(({ topicId, partitions }) => ({ topicId, partitions })),
      target: member.targetAssignment.topicPartitions.map(({ topicId, partitions }) => ({ topicId, partitions })),
    })),
  }))
}

export async function describeClassicGroups(
  connections: Connections,
  coordinator: Address,
  groups: readonly string[],
): Promise<readonly DescribedClassicGroup[]> {
  const api = describeGroupsV5.api
  const answer = await connections.request('admin', coordinator, 'DescribeGroups', api, [...groups], false)
  return answer.groups.map((group) => ({
    group: group.groupId,
    errorCode: group.errorCode,
    state: group.groupState,
    assignor: group.protocolData,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId ?? null,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: readClassicAssignment(member.memberAssignment),
    })),
  }))
}

export async function deleteGroup(connections: Connections, coordinator: Address, group: string): Promise<GroupResult> {
  const answer = await connections.request('admin', coordinator, 'DeleteGroups', deleteGroupsV2.api, [group])
  const [result] = answer.results
  if (!result) throw brokerError(-1, 'the answer names no group', { group })
  return { group, errorCode: result.errorCode }
}

export async function deleteOffsets(
  connections: Connections,
  coordinator: Address,
  group: string,
  places: readonly PartitionKey[],
): Promise<readonly PartitionResult[]> {
  const topics = perTopic(places, ({ partition }) => ({ partitionIndex: partition }))
  const answer = await connections.request('admin', coordinator, 'OffsetDelete', offsetDeleteV0.api, group, topics)
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, null, { group })
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, errorCode }) => ({ topic: name, partition: partitionIndex, errorCode })),
  )
}

export async function alterClientQuota(
  connections: Connections,
  broker: Address,
  clientId: string,
  producerBytesPerSecond: number | null,
): Promise<void> {
  const key = 'producer_byte_rate' as const
  const op =
    producerBytesPerSecond === null
      ? { key, remove: true as const }
      : { key, value: producerBytesPerSecond, remove: false as const }
  const entries = [{ entities: [{ entityType: 'client-id' as const, entityName: clientId }], ops: [op] }]
  const answer = await connections.request(
    'admin',
    broker,
    'AlterClientQuotas',
    alterClientQuotasV1.api,
    entries,
    false,
  )
  const refused = answer.entries.find((entry) => entry.errorCode !== 0)
  if (refused) throw brokerError(refused.errorCode, refused.errorMessage ?? null, { clientId })
}
