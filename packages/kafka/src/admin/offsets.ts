import { SluiceError } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import { topicError } from '../cluster/topic-error.ts'
import { brokerError } from '../driver/classify.ts'
import type { BrokerNode, CommittedOffset, CoordinatorKind, Isolation } from '../driver/driver.ts'
import type { Deadline } from './deadline.ts'
import {
  byPlace,
  keyOf,
  type OffsetAt,
  offsetsAt,
  type PartitionOffset,
  type Place,
  surveyOffsetsAt,
  type UnknownPartition,
} from './find-offsets.ts'
import type { Inquiry } from './inquiry.ts'

/** Asks each partition's leader, again where one has moved. Sorted by topic and partition. */
export async function offsetsOf(
  cluster: Cluster,
  topics: readonly string[],
  at: OffsetAt,
  isolation: Isolation,
  deadline: Deadline,
): Promise<readonly PartitionOffset[]> {
  if (topics.length > 0) await deadline.refresh(cluster, topics)
  return await offsetsAt(cluster, topics.flatMap(placesIn(cluster)), at, isolation, deadline)
}

/** The offsets that could be found out, and why the others could not. Sorted by topic and partition. */
export interface OffsetSurvey {
  /** Those that could be found out. */
  readonly offsets: readonly PartitionOffset[]
  /** Partitions whose offset could not, and why. */
  readonly unknown: readonly UnknownPartition[]
}

/** As `offsetsOf`, with what can be found out now. @throws BrokerError for a topic that is not there or may not be seen */
export async function surveyOffsets(
  cluster: Cluster,
  topics: readonly string[],
  at: OffsetAt,
  isolation: Isolation,
  inquiry: Inquiry,
): Promise<OffsetSurvey> {
  if (topics.length > 0) await inquiry.refresh(cluster, topics)
  const places = topics.flatMap(placesIn(cluster))
  const { offsets, errors } = await surveyOffsetsAt(cluster, places, at, isolation, inquiry)
  const unknown = places.flatMap((place) => {
    const error = errors.get(keyOf(place))
    return error === undefined ? [] : [{ ...place, error }]
  })
  return { offsets: [...offsets.values()].sort(byPlace), unknown: unknown.sort(byPlace) }
}

/** All that the group has committed, members or not. Sorted by topic and partition. */
export async function committedOffsets(
  cluster: Cluster,
  group: string,
  deadline: Deadline,
): Promise<readonly CommittedOffset[]> {
  return await atCoordinator(cluster, group, deadline, (coordinator) => committedAt(cluster, coordinator, group))
}

/** As `committedOffsets`, from this coordinator. @throws BrokerError for the whole group or one of its partitions */
export async function committedAt(
  cluster: Cluster,
  coordinator: BrokerNode,
  group: string,
): Promise<readonly CommittedOffset[]> {
  // What a transaction is about to commit is not committed yet; with `requireStable` it would be an error.
  const request = { group, memberId: null, memberEpoch: -1, requireStable: false, topics: null }
  const offsets = await cluster.driver.fetchOffsets(coordinator, request)
  for (const { errorCode, topic, partition } of offsets) {
    if (errorCode !== 0) throw brokerError(errorCode, null, { group, topic, partition })
  }
  return offsets.filter((offset) => offset.offset >= 0).sort(byPlace)
}

/** As `askCoordinator`, of a group. */
export async function atCoordinator<Answer>(
  cluster: Cluster,
  group: string,
  deadline: Deadline,
  question: (coordinator: BrokerNode) => Promise<Answer>,
): Promise<Answer> {
  return await askCoordinator(cluster, { kind: 'group', key: group }, deadline, question)
}

/** Tries again, elsewhere if need be, while the coordinator of a group or a transactional id moves or loads. */
export async function askCoordinator<Answer>(
  cluster: Cluster,
  { kind, key }: { readonly kind: CoordinatorKind; readonly key: string },
  deadline: Deadline,
  question: (coordinator: BrokerNode) => Promise<Answer>,
): Promise<Answer> {
  const what = `the coordinator of ${key} did not answer`
  for (;;) {
    try {
      const searching = cluster.coordinator(kind, key)
      const coordinator = await deadline.limit(`no broker told the coordinator of ${key}`, searching)
      return await deadline.ask(coordinator, `the request about ${key}`, () => question(coordinator))
    } catch (error) {
      if (!(error instanceof SluiceError) || !error.retriable) throw error
      cluster.forgetCoordinator(kind, key)
      await deadline.pause(what, error)
    }
  }
}

/** The partitions of a topic, as far as is known. @throws BrokerError for one that is not there or may not be seen */
export function placesIn(cluster: Cluster): (name: string) => readonly Place[] {
  return (name) => {
    const topic = cluster.topic(name)
    if (topic && topic.errorCode !== 0) throw topicError(name, topic.errorCode)
    return topic?.partitions.map(({ partition }) => ({ topic: name, partition })) ?? []
  }
}
