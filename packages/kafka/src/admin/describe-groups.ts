import { SluiceError } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type {
  BrokerNode,
  DescribedClassicGroup,
  DescribedGroup,
  ListedGroup,
  TopicPartitions,
} from '../driver/driver.ts'
import type { Inquiry } from './inquiry.ts'

/** A group, as its coordinator describes it. */
export interface GroupDescription {
  readonly group: string
  /** `classic`: of the protocol before KIP-848, as clients of other languages still use it. */
  readonly protocol: 'consumer' | 'classic'
  /** As Kafka says it: `Empty`, `Assigning`, `Reconciling`, `PreparingRebalance`, `Stable`, `Dead` ... */
  readonly state: string
  /** -1 for a classic group. */
  readonly epoch: number
  /** What assigns partitions to its members. */
  readonly assignor: string
  /** Its members. */
  readonly members: readonly MemberDescription[]
}

/** A member of a group, as its coordinator describes it. */
export interface MemberDescription {
  readonly memberId: string
  /** Kafka: `group.instance.id`; null for a dynamic member. */
  readonly instanceId: string | null
  readonly epoch: number
  readonly clientId: string
  readonly host: string
  /** What it owns now. */
  readonly assignment: readonly OwnedTopic[]
  /** What it is meant to own once the group has settled. */
  readonly target: readonly OwnedTopic[]
}

/** A topic, with partitions of it that a member owns. */
export interface OwnedTopic {
  /** The topic's id where it was deleted meanwhile. */
  readonly topic: string
  /** Numbers of partitions. */
  readonly partitions: readonly number[]
}

/** A broker that did not tell which groups it coordinates, and why. */
export interface UnknownBroker {
  readonly broker: BrokerNode
  readonly error: Error
}

/** The groups of the brokers that answered, sorted by name, and the brokers that did not. */
export interface GroupListing {
  /** The groups of the brokers that answered. */
  readonly groups: readonly ListedGroup[]
  /** The brokers that did not. */
  readonly unknown: readonly UnknownBroker[]
}

/** A group as its coordinator lists it. */
export interface CoordinatedGroup extends ListedGroup {
  readonly coordinator: BrokerNode
}

/** As `GroupListing`, with who coordinates what. */
export interface CoordinatedListing {
  readonly groups: readonly CoordinatedGroup[]
  readonly unknown: readonly UnknownBroker[]
}

/** Asks every broker for the groups that it coordinates. @throws where no broker says which brokers there are */
export async function surveyGroupList(cluster: Cluster, inquiry: Inquiry): Promise<CoordinatedListing> {
  await inquiry.refresh(cluster, [])
  const groups = new Map<string, CoordinatedGroup>()
  const unknown: UnknownBroker[] = []
  const asked = cluster.brokers.map(async (broker) => {
    try {
      const question = () => cluster.driver.admin.listGroups(broker)
      const own = await inquiry.ask(broker, 'ListGroups', question)
      for (const one of own) groups.set(one.group, { ...one, coordinator: broker })
    } catch (error) {
      unknown.push({ broker, error: requireOurs(error) })
    }
  })
  await Promise.all(asked)
  const sorted = [...groups.values()].sort((a, b) => (a.group < b.group ? -1 : 1))
  return { groups: sorted, unknown: unknown.sort((a, b) => a.broker.id - b.broker.id) }
}

/** All groups. @throws what the first broker failed with that did not tell its own */
export async function listGroups(cluster: Cluster, inquiry: Inquiry): Promise<readonly ListedGroup[]> {
  const { groups, unknown } = await surveyGroupList(cluster, inquiry)
  if (unknown[0]) throw unknown[0].error
  return groups.map(({ group, state, type }) => ({ group, state, type }))
}

/** A group's description, or why there is none. */
export type FoundGroup = GroupDescription | Error

/** Of either protocol. @throws BrokerError `GROUP_ID_NOT_FOUND`, or why a group could not be described */
export async function describeGroups(
  cluster: Cluster,
  groups: readonly string[],
  inquiry: Inquiry,
): Promise<readonly GroupDescription[]> {
  if (groups.length === 0) return []
  const { found, byCoordinator } = await findCoordinators(cluster, groups, inquiry)
  const names = await topicNames(cluster, inquiry)
  const asked = Array.from(byCoordinator, async ([coordinator, own]) => {
    for (const one of await describeAt(cluster, coordinator, own, names, inquiry)) found.set(...one)
  })
  await Promise.all(asked)
  return groups.map((group) => {
    const one = found.get(group) ?? brokerError(notFound, null, { group })
    if (one instanceof Error) throw one
    return one
  })
}

/** Groups by their coordinators; those without one are in `found`, with the reason. */
export async function findCoordinators(cluster: Cluster, groups: readonly string[], inquiry: Inquiry) {
  const found = new Map<string, FoundGroup>()
  const nodes = new Map<number, BrokerNode>()
  const byCoordinator = new Map<BrokerNode, string[]>()
  for (const group of new Set(groups)) {
    try {
      const question = cluster.driver.findCoordinator('group', group)
      const answer = await inquiry.fromAny(`the coordinator of ${group} was not found`, question)
      // The same object for the same broker: it is the key.
      const node = nodes.get(answer.id) ?? answer
      nodes.set(node.id, node)
      byCoordinator.set(node, [...(byCoordinator.get(node) ?? []), group])
    } catch (error) {
      found.set(group, requireOurs(error))
    }
  }
  return { found, byCoordinator }
}

/** Names of all topics by their ids. */
export async function topicNames(cluster: Cluster, inquiry: Inquiry): Promise<ReadonlyMap<string, string>> {
  const { topics } = await inquiry.fromAny('no broker told its topics', cluster.driver.metadata(null))
  return new Map(topics.map((topic) => [topic.id, topic.name]))
}

/** Describes groups at their coordinator: each is described, or has its own reason why not. */
export async function describeAt(
  cluster: Cluster,
  coordinator: BrokerNode,
  groups: readonly string[],
  names: ReadonlyMap<string, string>,
  inquiry: Inquiry,
): Promise<ReadonlyMap<string, FoundGroup>> {
  const { admin } = cluster.driver
  try {
    const described = await inquiry.ask(coordinator, 'ConsumerGroupDescribe', () =>
      admin.describeConsumerGroups(coordinator, groups),
    )
    const others = described.filter((one) => one.errorCode === notFound).map(({ group }) => group)
    const question = () => admin.describeClassicGroups(coordinator, others)
    const classic = others.length === 0 ? [] : await inquiry.ask(coordinator, 'DescribeGroups', question)
    const byName = new Map(classic.map((one) => [one.group, one]))
    return new Map(described.map((one) => [one.group, eitherOf(one, byName.get(one.group), names)]))
  } catch (error) {
    const reason = requireOurs(error)
    return new Map(groups.map((group) => [group, reason]))
  }
}

/** @throws anything that is not an error of Sluice: a defect, or the signal's reason */
export function requireOurs(error: unknown): Error {
  if (error instanceof SluiceError && error.code !== 'closed') return error
  throw error
}

const notFound = errorCode('GROUP_ID_NOT_FOUND')
const dead = 'Dead'

function eitherOf(
  one: DescribedGroup,
  classic: DescribedClassicGroup | undefined,
  names: ReadonlyMap<string, string>,
): FoundGroup {
  return classic && classic.state !== dead ? ofClassic(classic) : ofConsumer(one, names)
}

function ofConsumer(described: DescribedGroup, names: ReadonlyMap<string, string>): FoundGroup {
  const { group, errorCode: code, errorMessage, state, epoch, assignor, members } = described
  if (code !== 0) return brokerError(code, errorMessage, { group })
  const named = (owned: readonly TopicPartitions[]): readonly OwnedTopic[] =>
    owned.map(({ topicId, partitions }) => ({ topic: names.get(topicId) ?? topicId, partitions }))
  return {
    group,
    protocol: 'consumer',
    state,
    epoch,
    assignor,
    members: members.map((one) => ({ ...one, assignment: named(one.assignment), target: named(one.target) })),
  }
}

function ofClassic({ group, errorCode: code, state, assignor, members }: DescribedClassicGroup): FoundGroup {
  if (code !== 0) return brokerError(code, null, { group })
  const described = members.map((member) => ({ ...member, epoch: -1, target: member.assignment }))
  return { group, protocol: 'classic', state, epoch: -1, assignor, members: described }
}
