import { readUnread } from '../answer.ts'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import type { Address } from '../connect-options.ts'
import type { DeletedRecords, NewTopic, RecordsPlace, TopicConfigs, TopicResult } from '../driver.ts'
import { perTopic } from './by-topic.ts'
import {
  alterConfigsApi,
  createPartitionsApi,
  createTopicsApi,
  deleteRecordsApi,
  deleteTopicsApi,
  describeConfigsApi,
  readTopicConfigs,
} from './topic-answers.ts'

/** The kind of resource whose settings are asked for or changed. */
const topicResource = 2

/** Topics in one request for settings: the answer says some thirty of each, and is built by the broker at once. */
const describedAtOnce = 500

/** What is done to a setting. */
const operation = { set: 0, remove: 1 } as const

export function createTopics(
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
  return connections.request('admin', broker, 'CreateTopics', createTopicsApi, wanted, timeoutMs, false)
}

export function deleteTopics(
  connections: Connections,
  broker: Address,
  names: readonly string[],
  timeoutMs: number,
): Promise<readonly TopicResult[]> {
  const topics = names.map((name) => ({ name, topicId: null }))
  return connections.request('admin', broker, 'DeleteTopics', deleteTopicsApi, topics, timeoutMs)
}

export async function describeTopicConfigs(
  connections: Connections,
  broker: Address,
  names: readonly string[],
): Promise<readonly TopicConfigs[]> {
  const described: TopicConfigs[] = []
  const from = { address: `${broker.host}:${broker.port}`, api: 'DescribeConfigs' }
  for (let start = 0; start < names.length; start += describedAtOnce) {
    const some = names.slice(start, start + describedAtOnce)
    const resources = some.map((resourceName) => ({ resourceType: topicResource, resourceName }) as const)
    const answer = await connections.request('admin', broker, from.api, describeConfigsApi, resources, false, false)
    for (const topic of await readUnread(answer, from, readTopicConfigs)) described.push(topic)
  }
  return described
}

export async function alterTopicConfigs(
  connections: Connections,
  broker: Address,
  name: string,
  changes: Readonly<Record<string, string | null>>,
  validateOnly: boolean,
): Promise<TopicResult> {
  const configs = Object.entries(changes).map(([key, value]) =>
    value === null
      ? { name: key, configOperation: operation.remove }
      : { name: key, configOperation: operation.set, value },
  )
  const resources = [{ resourceType: topicResource, resourceName: name, configs }] as const
  const api = alterConfigsApi
  const results = await connections.request(
    'admin',
    broker,
    'IncrementalAlterConfigs',
    api,
    [...resources],
    validateOnly,
  )
  return onlyResult(name, results)
}

export async function createPartitions(
  connections: Connections,
  broker: Address,
  topic: { readonly name: string; readonly count: number },
  timeoutMs: number,
  validateOnly: boolean,
): Promise<TopicResult> {
  // No assignment of replicas is null: an empty one would be taken for one.
  const topics = [{ ...topic, assignments: null }]
  const api = createPartitionsApi
  const results = await connections.request('admin', broker, 'CreatePartitions', api, topics, timeoutMs, validateOnly)
  return onlyResult(topic.name, results)
}

export function deleteRecords(
  connections: Connections,
  broker: Address,
  places: readonly RecordsPlace[],
  timeoutMs: number,
): Promise<readonly DeletedRecords[]> {
  const topics = perTopic(places, ({ partition, offset }) => ({ partitionIndex: partition, offset: BigInt(offset) }))
  return connections.request('admin', broker, 'DeleteRecords', deleteRecordsApi, topics, timeoutMs)
}

function onlyResult(name: string, results: readonly TopicResult[]): TopicResult {
  const [result] = results
  if (!result) throw brokerError(-1, 'the answer names no topic', { topic: name })
  return { name, errorCode: result.errorCode, errorMessage: result.errorMessage || null }
}
