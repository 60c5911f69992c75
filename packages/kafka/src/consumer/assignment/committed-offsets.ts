import type { Cluster } from '../../cluster/cluster.ts'
import type { CommittedOffset } from '../../driver/driver.ts'
import { groupBy } from '../../driver/group-by.ts'
import type { Membership } from '../group/membership.ts'
import type { AssignedPartition } from '../partition.ts'

/** Partitions, or topics, in one question for committed offsets. */
export const FOUND_AT_ONCE = 1_000

export interface CommittedSource {
  readonly cluster: Cluster
  readonly settings: { readonly group: string }
  readonly membership: Pick<Membership, 'memberId'>
}

interface TopicNumbers {
  readonly topic: string
  readonly partitions: readonly number[]
}

/** What the group has committed. `memberEpoch` null: asked as somebody who is not a member. */
export async function fetchCommitted(
  { cluster, settings: { group }, membership }: CommittedSource,
  topics: readonly TopicNumbers[],
  memberEpoch: number | null,
): Promise<readonly CommittedOffset[]> {
  const committed: CommittedOffset[] = []
  for (let from = 0; from < topics.length; from += FOUND_AT_ONCE) {
    const coordinator = await cluster.coordinator('group', group)
    const some = await cluster.driver.fetchOffsets(coordinator, {
      group,
      memberId: memberEpoch === null ? null : membership.memberId,
      memberEpoch: memberEpoch ?? -1,
      requireStable: memberEpoch !== null,
      topics: topics.slice(from, from + FOUND_AT_ONCE),
    })
    for (const one of some) committed.push(one)
  }
  return committed
}

export function byTopic(partitions: readonly AssignedPartition[]): readonly TopicNumbers[] {
  return Array.from(
    groupBy(partitions, ({ topicName }) => topicName),
    ([topic, ofTopic]) => ({ topic, partitions: ofTopic.map(({ partition }) => partition) }),
  )
}
