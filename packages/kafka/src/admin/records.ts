import { ConfigError } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, classify } from '../driver/classify.ts'
import type { BrokerNode, RecordsPlace } from '../driver/driver.ts'
import type { Deadline } from './deadline.ts'

/** Where the log of a partition begins after its first records were deleted. */
export interface LogStart {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** At each partition's leader, again where one has moved. */
export async function deleteRecords(
  cluster: Cluster,
  before: readonly RecordsPlace[],
  deadline: Deadline,
): Promise<readonly LogStart[]> {
  let left = before
  const done: LogStart[] = []
  const topics = [...new Set(before.map(({ topic }) => topic))]
  await cluster.refresh(topics, deadline.signal)
  for (const place of before) requirePlace(cluster, place)
  while (left.length > 0) {
    const again: RecordsPlace[] = []
    for (const [leader, places] of byLeader(cluster, left)) {
      if (leader) await deleteAt(cluster, leader, places, deadline, { done, again })
      else again.push(...places)
    }
    left = again
    if (left.length === 0) break
    await deadline.pause(`records of ${left.length} partitions of ${topics.join(', ')} were not deleted`)
    await cluster.refresh(topics, deadline.signal)
  }
  return done
}

/** What was answered just now does not have it: waiting would not help. */
function requirePlace(cluster: Cluster, { topic, partition }: RecordsPlace): void {
  const found = cluster.topic(topic)
  if (!found) return
  if (found.errorCode !== 0 && !(found.partitions.length > 0)) throw brokerError(found.errorCode, null, { topic })
  const last = found.partitions.length - 1
  if (partition > last) throw new ConfigError('partition', partition, `a partition of ${topic}: 0 to ${last}`)
}

async function deleteAt(
  cluster: Cluster,
  leader: BrokerNode,
  places: readonly RecordsPlace[],
  deadline: Deadline,
  { done, again }: { readonly done: LogStart[]; readonly again: RecordsPlace[] },
): Promise<void> {
  const asked = new Map(places.map((place) => [`${place.topic}/${place.partition}`, place]))
  for (const result of await cluster.driver.admin.deleteRecords(leader, places, deadline.leftMs)) {
    const { topic, partition, errorCode, startOffset } = result
    const place = asked.get(`${topic}/${partition}`)
    if (errorCode === 0) done.push({ topic, partition, offset: startOffset })
    else if (place && classify(errorCode).retriable) again.push(place)
    else throw brokerError(errorCode, null, { topic, partition })
  }
}

function byLeader(
  cluster: Cluster,
  places: readonly RecordsPlace[],
): ReadonlyMap<BrokerNode | undefined, readonly RecordsPlace[]> {
  return Map.groupBy(places, ({ topic, partition }) => cluster.leader(topic, partition))
}
