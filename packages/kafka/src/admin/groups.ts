import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type {
  DescribedClassicGroup,
  DescribedGroup,
  GroupMember,
  ListedGroup,
  OffsetCommit,
  PartitionKey,
  PartitionResult,
  TopicPartitions,
} from '../driver/driver.ts'
import { atCoordinator } from './offsets.ts'
import type { Deadline } from './deadline.ts'

export interface GroupDescription {
  readonly group: string
  /** `classic`: of the protocol before KIP-848, as clients of other languages still use it. */
  readonly protocol: 'consumer' | 'classic'
  /** As Kafka says it: `Empty`, `Assigning`, `Reconciling`, `PreparingRebalance`, `Stable`, `Dead` ... */
  readonly state: string
  /** -1 for a classic group. */
  readonly epoch: number
  readonly assignor: string
  readonly members: readonly MemberDescription[]
}

export interface MemberDescription extends Omit<GroupMember, 'assignment' | 'target'> {
  /** What it owns now. */
  readonly assignment: readonly OwnedTopic[]
  /** What it is meant to own once the group has settled. */
  readonly target: readonly OwnedTopic[]
}

export interface OwnedTopic {
  /** The topic's id where it was deleted meanwhile. */
  readonly topic: string
  readonly partitions: readonly number[]
}

/** Of every broker, sorted by name. */
export async function listGroups(cluster: Cluster): Promise<readonly ListedGroup[]> {
  const groups = await cluster.driver.admin.listGroups()
  return [...groups].sort((a, b) => (a.group < b.group ? -1 : 1))
}

/** Of either protocol. @throws BrokerError `GROUP_ID_NOT_FOUND` */
export async function describeGroups(
  cluster: Cluster,
  groups: readonly string[],
): Promise<readonly GroupDescription[]> {
  if (groups.length === 0) return []
  const { admin } = cluster.driver
  const described = await admin.describeConsumerGroups(groups)
  const others = described.filter((one) => one.errorCode === notFound).map(({ group }) => group)
  const classic = others.length === 0 ? [] : await admin.describeClassicGroups(others)
  const { topics } = await cluster.driver.metadata(null)
  const names = new Map(topics.map((topic) => [topic.id, topic.name]))
  return described.map((one) => {
    const other = one.errorCode === notFound ? classic.find(({ group }) => group === one.group) : undefined
    return other && other.state !== dead ? ofClassic(other) : ofConsumer(one, names)
  })
}

/** A group without live members forgets what it has committed. @throws BrokerError `NON_EMPTY_GROUP` */
export async function deleteGroup(cluster: Cluster, group: string, deadline: Deadline): Promise<void> {
  await atCoordinator(cluster, group, deadline, async (coordinator) => {
    const { errorCode: code } = await cluster.driver.admin.deleteGroup(coordinator, group)
    if (code !== 0) throw brokerError(code, null, { group })
  })
}

/** @throws BrokerError `NON_EMPTY_GROUP` where the group has members */
export async function alterGroupOffsets(
  cluster: Cluster,
  group: string,
  offsets: readonly OffsetCommit[],
  deadline: Deadline,
): Promise<void> {
  if (offsets.length === 0) return
  const commit = { group, memberId: '', memberEpoch: -1, instanceId: null, offsets }
  await atCoordinator(cluster, group, deadline, async (coordinator) => {
    throwFirst(group, await cluster.driver.commitOffsets(coordinator, commit))
  })
}

/** @throws BrokerError `GROUP_SUBSCRIBED_TO_TOPIC` where a live group reads these partitions */
export async function deleteGroupOffsets(
  cluster: Cluster,
  group: string,
  places: readonly PartitionKey[],
  deadline: Deadline,
): Promise<void> {
  if (places.length === 0) return
  await atCoordinator(cluster, group, deadline, async (coordinator) => {
    throwFirst(group, await cluster.driver.admin.deleteOffsets(coordinator, group, places))
  })
}

const notFound = errorCode('GROUP_ID_NOT_FOUND')
const unknownMember = errorCode('UNKNOWN_MEMBER_ID')
const nonEmpty = errorCode('NON_EMPTY_GROUP')
const dead = 'Dead'

function throwFirst(group: string, results: readonly PartitionResult[]): void {
  const failed = results.find((result) => result.errorCode !== 0)
  if (!failed) return
  const { topic, partition } = failed
  // A commit of somebody who is no member is refused in these words while the group has members.
  const code = failed.errorCode === unknownMember ? nonEmpty : failed.errorCode
  throw brokerError(code, null, { group, topic, partition })
}

function ofConsumer(described: DescribedGroup, names: ReadonlyMap<string, string>): GroupDescription {
  const { group, errorCode: code, errorMessage, state, epoch, assignor, members } = described
  if (code !== 0) throw brokerError(code, errorMessage, { group })
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

function ofClassic({ group, errorCode: code, state, assignor, members }: DescribedClassicGroup): GroupDescription {
  if (code !== 0) throw brokerError(code, null, { group })
  const described = members.map((member) => ({ ...member, epoch: -1, target: member.assignment }))
  return { group, protocol: 'classic', state, epoch: -1, assignor, members: described }
}
