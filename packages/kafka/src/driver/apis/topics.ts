import {
  createPartitionsV3,
  createTopicsV7,
  deleteRecordsV2,
  deleteTopicsV6,
  describeConfigsV4,
  incrementalAlterConfigsV1,
} from '@platformatic/kafka'
import { answeredUnread, readUnread } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import { brokerError } from '../classify.ts'
import type { Address, Connections } from '../connections.ts'
import type { DeletedRecords, NewTopic, RecordsPlace, TopicConfigs, TopicResult } from '../driver.ts'
import { perTopic } from './by-topic.ts'

/** The kind of resource whose settings are asked for or changed. */
const topicResource = 2

/** Where a setting comes from, if it was set for the topic itself. */
const ownSource = 1

/** Topics in one request for settings: the answer says some thirty of each, and is built by the broker at once. */
const describedAtOnce = 500

const describeConfigsApi = answeredUnread(32, 4, describeConfigsV4.createRequest)

/** What is done to a setting. */
const operation = { set: 0, remove: 1 } as const

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

async function readTopicConfigs(answer: ChunkReader): Promise<readonly TopicConfigs[]> {
  answer.skip(4)
  return await answer.longArray(() => {
    const errorCode = answer.int16()
    const errorMessage = answer.string() || null
    answer.skip(1)
    const name = answer.string() ?? ''
    const configs = answer.array(() => readConfig(answer))
    answer.taggedFields()
    return {
      name,
      errorCode,
      errorMessage,
      configs: valuesOf(configs),
      ownConfigs: valuesOf(configs.filter(({ source }) => source === ownSource)),
    }
  })
}

function readConfig(answer: ChunkReader): Config {
  const name = answer.string() ?? ''
  const value = answer.string()
  // Whether it is read-only.
  answer.skip(1)
  const source = answer.int8()
  // Whether it is sensitive.
  answer.skip(1)
  answer.array(() => {
    answer.string()
    answer.string()
    answer.skip(1)
    answer.taggedFields()
  })
  // Its type and its documentation.
  answer.skip(1)
  answer.string()
  answer.taggedFields()
  return { name, value, source }
}

interface Config {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

function valuesOf(configs: readonly Config[]): Record<string, string | null> {
  return Object.fromEntries(configs.map(({ name, value }) => [name, value]))
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
  const api = incrementalAlterConfigsV1.api
  const answer = await connections.request(
    'admin',
    broker,
    'IncrementalAlterConfigs',
    api,
    [...resources],
    validateOnly,
  )
  return onlyResult(name, answer.responses)
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
  const api = createPartitionsV3.api
  const answer = await connections.request('admin', broker, 'CreatePartitions', api, topics, timeoutMs, validateOnly)
  return onlyResult(topic.name, answer.results)
}

export async function deleteRecords(
  connections: Connections,
  broker: Address,
  places: readonly RecordsPlace[],
  timeoutMs: number,
): Promise<readonly DeletedRecords[]> {
  const topics = perTopic(places, ({ partition, offset }) => ({ partitionIndex: partition, offset: BigInt(offset) }))
  const answer = await connections.request('admin', broker, 'DeleteRecords', deleteRecordsV2.api, topics, timeoutMs)
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, errorCode, lowWatermark }) => ({
      topic: name,
      partition: partitionIndex,
      errorCode,
      startOffset: Number(lowWatermark),
    })),
  )
}

function onlyResult(
  name: string,
  results: ReadonlyArray<{ readonly errorCode: number; readonly errorMessage?: string | null | undefined }>,
): TopicResult {
  const [result] = results
  if (!result) throw brokerError(-1, 'the answer names no topic', { topic: name })
  return { name, errorCode: result.errorCode, errorMessage: result.errorMessage || null }
}
