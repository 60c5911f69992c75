import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type { OffsetCommit, PartitionKey, PartitionResult } from '../driver/driver.ts'
import type { Deadline } from './deadline.ts'
import { atCoordinator } from './offsets.ts'

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

const unknownMember = errorCode('UNKNOWN_MEMBER_ID')
const nonEmpty = errorCode('NON_EMPTY_GROUP')

function throwFirst(group: string, results: readonly PartitionResult[]): void {
  const failed = results.find((result) => result.errorCode !== 0)
  if (!failed) return
  const { topic, partition } = failed
  // A commit of somebody who is no member is refused in these words while the group has members.
  const code = failed.errorCode === unknownMember ? nonEmpty : failed.errorCode
  throw brokerError(code, null, { group, topic, partition })
}
