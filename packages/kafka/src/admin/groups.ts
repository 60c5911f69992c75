import type { Cluster } from '../cluster/cluster.ts'
import { brokerError } from '../driver/classify.ts'
import type { GroupMember, ListedGroup, TopicPartitions } from '../driver/driver.ts'

export interface GroupDescription {
  readonly group: string
  /** As Kafka says it: `Empty`, `Assigning`, `Reconciling`, `Stable`, `Dead`. */
  readonly state: string
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

/** @throws BrokerError `GROUP_ID_NOT_FOUND`, for a group of the classic protocol too */
export async function describeGroups(
  cluster: Cluster,
  groups: readonly string[],
): Promise<readonly GroupDescription[]> {
  if (groups.length === 0) return []
  const described = await cluster.driver.admin.describeConsumerGroups(groups)
  const { topics } = await cluster.driver.metadata(null)
  const names = new Map(topics.map((topic) => [topic.id, topic.name]))
  const named = (owned: readonly TopicPartitions[]): readonly OwnedTopic[] =>
    owned.map(({ topicId, partitions }) => ({ topic: names.get(topicId) ?? topicId, partitions }))
  return described.map(({ group, errorCode, errorMessage, state, epoch, assignor, members }) => {
    if (errorCode !== 0) throw brokerError(errorCode, errorMessage, { group })
    const described = members.map((member) => ({
      ...member,
      assignment: named(member.assignment),
      target: named(member.target),
    }))
    return { group, state, epoch, assignor, members: described }
  })
}
