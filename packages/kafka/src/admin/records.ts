import { ConfigError } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, classify, errorCode } from '../driver/classify.ts'
import type { BrokerNode, RecordsPlace } from '../driver/driver.ts'
import type { Deadline } from './deadline.ts'

const noLeader = errorCode('LEADER_NOT_AVAILABLE')

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
  await deadline.refresh(cluster, topics)
  for (const place of before) requirePlace(cluster, place)
  while (left.length > 0) {
    const again: RecordsPlace[] = []
    let cause: Error | undefined
    for (const [leader, places] of byLeader(cluster, left)) {
      if (leader) cause = (await deleteAt(cluster, leader, places, deadline, { done, again })) ?? cause
      else {
        cause = brokerError(noLeader, null, { topic: places[0]!.topic, partition: places[0]!.partition })
        again.push(...places)
      }
    }
    left = again
    if (left.length === 0) break
    await deadline.pause(`records of ${left.length} partitions of ${topics.join(', ')} were not deleted`, cause)
    await deadline.refresh(cluster, topics)
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

/** Returns why some of them are to be tried again. */
async function deleteAt(
  cluster: Cluster,
  leader: BrokerNode,
  places: readonly RecordsPlace[],
  deadline: Deadline,
  { done, again }: { readonly done: LogStart[]; readonly again: RecordsPlace[] },
): Promise<Error | undefined> {
  const asked = new Map(places.map((place) => [`${place.topic}/${place.partition}`, place]))
  let failure: Error | undefined
  const deleting = (): ReturnType<typeof cluster.driver.admin.deleteRecords> =>
    cluster.driver.admin.deleteRecords(leader, places, deadline.leftMs)
  for (const result of await deadline.ask(leader, 'DeleteRecords', deleting)) {
    const { topic, partition, errorCode: code, startOffset } = result
    const place = asked.get(`${topic}/${partition}`)
    if (code === 0) {
      done.push({ topic, partition, offset: startOffset })
      continue
    }
    failure = brokerError(code, null, { topic, partition })
    if (!place || !classify(code).retriable) throw failure
    again.push(place)
  }
  return failure
}

function byLeader(
  cluster: Cluster,
  places: readonly RecordsPlace[],
): ReadonlyMap<BrokerNode | undefined, readonly RecordsPlace[]> {
  return Map.groupBy(places, ({ topic, partition }) => cluster.leader(topic, partition))
}
