import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import type { Address } from '../connect-options.ts'
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
import {
  alterQuotasApi,
  deleteGroupsApi,
  deleteOffsetsApi,
  describeClassicGroupsApi,
  describeConsumerGroupsApi,
  listGroupsApi,
} from './group-answers.ts'

/** The groups whose coordinator this broker is. */
export async function listGroups(connections: Connections, broker: BrokerNode): Promise<readonly ListedGroup[]> {
  const { errorCode, groups } = await connections.request('admin', broker, 'ListGroups', listGroupsApi, [], [])
  if (errorCode !== 0) throw brokerError(errorCode, null, { api: 'ListGroups', broker: broker.id })
  return groups
}

export function describeConsumerGroups(
  connections: Connections,
  coordinator: Address,
  groups: readonly string[],
): Promise<readonly DescribedGroup[]> {
  const api = describeConsumerGroupsApi
  return connections.request('admin', coordinator, 'ConsumerGroupDescribe', api, [...groups], false)
}

export function describeClassicGroups(
  connections: Connections,
  coordinator: Address,
  groups: readonly string[],
): Promise<readonly DescribedClassicGroup[]> {
  return connections.request('admin', coordinator, 'DescribeGroups', describeClassicGroupsApi, [...groups], false)
}

export async function deleteGroup(connections: Connections, coordinator: Address, group: string): Promise<GroupResult> {
  const [result] = await connections.request('admin', coordinator, 'DeleteGroups', deleteGroupsApi, [group])
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
  const answer = await connections.request('admin', coordinator, 'OffsetDelete', deleteOffsetsApi, group, topics)
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, null, { group })
  return answer.partitions
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
  const results = await connections.request('admin', broker, 'AlterClientQuotas', alterQuotasApi, entries, false)
  const refused = results.find(({ errorCode }) => errorCode !== 0)
  if (refused) throw brokerError(refused.errorCode, refused.errorMessage, { clientId })
}
