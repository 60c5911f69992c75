import { createTopicsV7, deleteTopicsV6, describeConfigsV4 } from '@platformatic/kafka'
import type { Address, Connections } from '../connections.ts'
import type { NewTopic, TopicConfigs, TopicResult } from '../driver.ts'

/** The kind of resource that DescribeConfigs is asked about. */
const topicResource = 2

export async function createTopics(
  connections: Connections,
  broker: Address,
  topics: readonly NewTopic[],
  timeoutMs: number,
): Promise<readonly TopicResult[]> {
  const wanted = topics.map(({ name, partitions, replicationFactor, configs }) => ({
    name,
    numPartitions: partitions,
    replicationFactor,
    assignments: [],
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  }))
  const answer = await connections.request(
    'admin',
    broker,
    'CreateTopics',
    createTopicsV7.api,
    wanted,
    timeoutMs,
    false,
  )
  return answer.topics.map(({ name, errorCode, errorMessage }) => ({
    name,
    errorCode,
    errorMessage: errorMessage ?? null,
  }))
}

export async function deleteTopics(
  connections: Connections,
  broker: Address,
  names: readonly string[],
  timeoutMs: number,
): Promise<readonly TopicResult[]> {
  const topics = names.map((name) => ({ name, topicId: null }))
  const answer = await connections.request('admin', broker, 'DeleteTopics', deleteTopicsV6.api, topics, timeoutMs)
  return answer.responses.map(({ name, errorCode, errorMessage }) => ({
    name: name ?? '',
    errorCode,
    errorMessage: errorMessage ?? null,
  }))
}

export async function describeTopicConfigs(
  connections: Connections,
  broker: Address,
  names: readonly string[],
): Promise<readonly TopicConfigs[]> {
  const resources = names.map((resourceName) => ({ resourceType: topicResource, resourceName }) as const)
  const api = describeConfigsV4.api
  const answer = await connections.request('admin', broker, 'DescribeConfigs', api, resources, false, false)
  return answer.results.map(({ resourceName, errorCode, errorMessage, configs }) => ({
    name: resourceName,
    errorCode,
    errorMessage: errorMessage || null,
    configs: Object.fromEntries(configs.map(({ name, value }) => [name, value ?? null])),
  }))
}
