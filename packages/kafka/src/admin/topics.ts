import { ConfigError } from '@sluice/flow'
import { requireInteger } from '@sluice/flow/internal'
import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type { NewTopic, PartitionMetadata, TopicMetadata, TopicResult } from '../driver/driver.ts'
import { requireTopicName } from '../record/topic.ts'
import type { Deadline } from './deadline.ts'

/** A topic to be created. */
export interface TopicSpec {
  readonly name: string
  /** From 1. Default: the brokers' `num.partitions`. */
  readonly partitions?: number
  /** From 1. Default: the brokers' `default.replication.factor`. */
  readonly replicationFactor?: number
  /** Such as `{ 'max.message.bytes': '2097152' }`. */
  readonly configs?: Readonly<Record<string, string>>
}

/** A topic that was created, or was there. */
export interface CreatedTopic {
  readonly name: string
  /** False: it was there already. */
  readonly created: boolean
}

/** A topic, as the cluster describes it. */
export interface TopicDescription {
  readonly name: string
  readonly id: string
  /** It is one of Kafka's own. */
  readonly internal: boolean
  /** Its partitions. */
  readonly partitions: readonly PartitionMetadata[]
  /** All settings as they hold for it; empty where they were not asked for. */
  readonly configs: Readonly<Record<string, string | null>>
  /** Of these, those that were set for this topic and do not come from its brokers. */
  readonly ownConfigs: Readonly<Record<string, string | null>>
}

/** What is to become of a topic. */
export interface TopicChange {
  /** More than there are: a topic cannot lose partitions. */
  readonly partitions?: number
  /** `null` puts a setting back to the brokers' own. */
  readonly configs?: Readonly<Record<string, string | null>>
}

const none = 0
const alreadyExists = errorCode('TOPIC_ALREADY_EXISTS')
const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
const noLeader = errorCode('LEADER_NOT_AVAILABLE')
const brokersDefault = -1
const nobody = -1

/** What an admin request keeps in hand for its way there and back. */
const roundTripMs = 500

export async function createTopics(
  cluster: Cluster,
  specs: readonly TopicSpec[],
  ifNotExists: boolean,
  deadline: Deadline,
): Promise<readonly CreatedTopic[]> {
  requireList('topics', specs, "a list of topics, such as [{ name: 'orders', partitions: 12 }]")
  if (specs.length === 0) return []
  const topics = specs.map(newTopic)
  const names = topics.map(({ name }) => name).join(', ')
  const creating = cluster.driver.admin.createTopics(topics, brokerTimeoutMs(deadline))
  const results = await deadline.limit(`it is not known whether ${names} could be created`, creating)
  for (const result of results) {
    if (result.errorCode === alreadyExists && ifNotExists) continue
    throwFailure(result)
  }
  await awaitLeaders(cluster, topics, deadline)
  return results.map(({ name, errorCode: code }) => ({ name, created: code === none }))
}

export async function deleteTopics(
  cluster: Cluster,
  names: readonly string[],
  ifExists: boolean,
  deadline: Deadline,
): Promise<void> {
  requireList('names', names, "a list of names, such as ['orders']")
  if (names.length === 0) return
  const deleting = cluster.driver.admin.deleteTopics(names, brokerTimeoutMs(deadline))
  const results = await deadline.limit(`it is not known whether ${names.join(', ')} could be deleted`, deleting)
  for (const result of results) {
    if (result.errorCode === unknownTopic && ifExists) continue
    throwFailure(result)
  }
  const isGone = (topic: TopicMetadata | undefined): boolean => topic?.errorCode === unknownTopic
  for (;;) {
    await deadline.refresh(cluster, names)
    if (names.every((name) => isGone(cluster.topic(name))) && (await isEverywhere(cluster, names, isGone))) return
    await deadline.pause(`${names.join(', ')} did not go away`)
  }
}

/** Sorted by name. */
export async function listTopics(cluster: Cluster, internal: boolean, deadline: Deadline): Promise<readonly string[]> {
  const { topics } = await deadline.limit('no broker told about the topics', cluster.driver.metadata(null))
  return topics
    .filter((topic) => topic.errorCode === none && (internal || !topic.internal))
    .map((topic) => topic.name)
    .sort()
}

export async function describeTopics(
  cluster: Cluster,
  names: readonly string[],
  withConfigs: boolean,
  deadline: Deadline,
): Promise<readonly TopicDescription[]> {
  if (names.length === 0) return []
  const what = `no broker told about ${names.join(', ')}`
  const { topics } = await deadline.limit(what, cluster.driver.metadata(names))
  for (const { name, errorCode: code } of topics) throwFailure({ name, errorCode: code, errorMessage: null })
  const described = withConfigs ? await deadline.limit(what, cluster.driver.admin.describeTopicConfigs(names)) : []
  const configsOf = new Map(described.map((topic) => [topic.name, topic]))
  return topics.map(({ name, id, internal, partitions }: TopicMetadata) => {
    const configs = configsOf.get(name)
    if (configs) throwFailure(configs)
    return { name, id, internal, partitions, configs: configs?.configs ?? {}, ownConfigs: configs?.ownConfigs ?? {} }
  })
}

/**
 * Settings first, then partitions; waits until new partitions have their leaders.
 * @param validateOnly asks the brokers whether they would do it
 */
export async function alterTopic(
  cluster: Cluster,
  name: string,
  { partitions, configs = {} }: TopicChange,
  validateOnly: boolean,
  deadline: Deadline,
): Promise<void> {
  const { admin } = cluster.driver
  if (partitions !== undefined) await requireGrowth(cluster, name, partitions, deadline)
  const what = `it is not known whether ${name} could be changed`
  if (Object.keys(configs).length > 0) {
    throwFailure(await deadline.limit(what, admin.alterTopicConfigs(name, configs, validateOnly)))
  }
  if (partitions === undefined) return
  const growing = admin.createPartitions(name, partitions, brokerTimeoutMs(deadline), validateOnly)
  throwFailure(await deadline.limit(what, growing))
  if (!validateOnly) await awaitLeaders(cluster, [{ name, partitions }], deadline)
}

async function requireGrowth(cluster: Cluster, name: string, partitions: number, deadline: Deadline): Promise<void> {
  requireInteger('partitions', partitions, { min: 1 })
  await deadline.refresh(cluster, [name])
  const topic = cluster.topic(name)
  throwFailure({ name, errorCode: topic?.errorCode ?? unknownTopic, errorMessage: null })
  const present = topic!.partitions.length
  if (partitions > present) return
  throw new ConfigError('partitions', partitions, `more than the ${present} that ${name} has: it cannot lose any`)
}

/** Until the leaders are known to every broker: whoever asks next, any of them, finds the topics. */
async function awaitLeaders(cluster: Cluster, topics: readonly LedTopic[], deadline: Deadline): Promise<void> {
  const names = topics.map((topic) => topic.name)
  const partitions = new Map(topics.map((topic) => [topic.name, topic.partitions]))
  const isLed = (topic: TopicMetadata | undefined): boolean =>
    topic?.errorCode === none &&
    topic.partitions.length >= Math.max(1, partitions.get(topic.name) ?? 1) &&
    topic.partitions.every(({ leader }) => leader !== nobody)
  for (;;) {
    await deadline.refresh(cluster, names)
    const waiting = names.filter((name) => !isLed(cluster.topic(name)))
    if (waiting.length === 0 && (await isEverywhere(cluster, names, isLed))) return
    const cause = whyLeaderless(cluster.topic(waiting[0] ?? ''))
    await deadline.pause(`no leader was found for ${(waiting.length === 0 ? names : waiting).join(', ')}`, cause)
  }
}

function whyLeaderless(topic: TopicMetadata | undefined): Error | undefined {
  if (topic === undefined) return undefined
  const { name, errorCode: code, partitions } = topic
  if (code !== none) return brokerError(code, null, { topic: name })
  const found = partitions.find(({ leader }) => leader === nobody)
  return found && brokerError(found.errorCode || noLeader, null, { topic: name, partition: found.partition })
}

type LedTopic = Pick<NewTopic, 'name' | 'partitions'>

/** Whether every broker that answers within a second says so of each of these topics, and one does at least. */
async function isEverywhere(
  cluster: Cluster,
  names: readonly string[],
  isSo: (topic: TopicMetadata | undefined) => boolean,
): Promise<boolean> {
  const answers = await cluster.driver.admin.metadataOfEach(cluster.brokers, names)
  return (
    answers.length > 0 &&
    answers.every(({ topics }) => {
      const byName = new Map(topics.map((topic) => [topic.name, topic]))
      return names.every((name) => isSo(byName.get(name)))
    })
  )
}

function requireList(field: string, value: unknown, allowed: string): void {
  if (!Array.isArray(value)) throw new ConfigError(field, value, allowed)
}

function newTopic(spec: TopicSpec): NewTopic {
  if (typeof spec !== 'object' || spec === null) {
    throw new ConfigError('topics', spec, "of objects, such as { name: 'orders', partitions: 12 }")
  }
  const { partitions, replicationFactor } = spec
  return {
    name: requireTopicName('name', spec.name),
    partitions: partitions === undefined ? brokersDefault : requireInteger('partitions', partitions, { min: 1 }),
    replicationFactor:
      replicationFactor === undefined
        ? brokersDefault
        : requireInteger('replicationFactor', replicationFactor, { min: 1, max: 32_767 }),
    configs: spec.configs ?? {},
  }
}

function throwFailure({ name, errorCode: code, errorMessage }: TopicResult): void {
  if (code !== none) throw brokerError(code, errorMessage, { topic: name })
}

function brokerTimeoutMs(deadline: Deadline): number {
  return Math.max(1, deadline.leftMs - roundTripMs)
}
