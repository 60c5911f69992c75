import type { Cluster } from '../cluster/cluster.ts'
import { brokerError } from '../driver/classify.ts'
import type { PartitionMetadata, TopicMetadata } from '../driver/driver.ts'
import { type FoundOffsets, keyOf, surveyOffsetsAt } from './find-offsets.ts'
import type { Inquiry } from './inquiry.ts'
import type { UnknownTopic } from './lag.ts'

/** A topic with the ends of its logs, as far as they could be found out. */
export interface TopicSurvey {
  readonly name: string
  readonly id: string
  /** It is one of Kafka's own. */
  readonly internal: boolean
  /** What is known of each partition. */
  readonly partitions: readonly PartitionSurvey[]
}

/** What is known of a partition. */
export interface PartitionSurvey extends PartitionMetadata {
  /** Null: see `error`. */
  readonly start: number | null
  /** The high watermark. Null: see `error`. */
  readonly end: number | null
  /** Why its leader did not tell them, or that it has none; undefined where they are known. */
  readonly error: Error | undefined
}

/** Topics, sorted by name, and those of which nothing could be found out. */
export interface TopicsSurvey {
  /** What is known of each topic. */
  readonly topics: readonly TopicSurvey[]
  /** What could not be found out, and why. */
  readonly unknown: readonly UnknownTopic[]
}

/** Of these topics, else of all. One that is not there has the error `UNKNOWN_TOPIC_OR_PARTITION`. */
export async function surveyTopics(
  cluster: Cluster,
  names: readonly string[] | null,
  internal: boolean,
  inquiry: Inquiry,
): Promise<TopicsSurvey> {
  const wanted = names ?? (await allNames(cluster, internal, inquiry))
  if (wanted.length > 0) await inquiry.refresh(cluster, wanted)
  const unknown: UnknownTopic[] = []
  const known: TopicMetadata[] = []
  for (const name of new Set(wanted)) {
    const topic = cluster.topic(name)
    if (topic && topic.errorCode === 0) known.push(topic)
    else unknown.push({ topic: name, error: brokerError(topic?.errorCode ?? -1, null, { topic: name }) })
  }
  const places = known.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  )
  const [starts, ends] = await Promise.all([
    surveyOffsetsAt(cluster, places, 'earliest', 'read_uncommitted', inquiry),
    surveyOffsetsAt(cluster, places, 'latest', 'read_uncommitted', inquiry),
  ])
  const topics = known.map((topic) => withEnds(topic, starts, ends))
  return { topics: topics.sort((a, b) => (a.name < b.name ? -1 : 1)), unknown }
}

async function allNames(cluster: Cluster, internal: boolean, inquiry: Inquiry): Promise<readonly string[]> {
  const { topics } = await inquiry.fromAny('no broker told its topics', cluster.driver.metadata(null))
  return topics.filter((topic) => internal || !topic.internal).map((topic) => topic.name)
}

function withEnds(
  { name, id, internal, partitions }: TopicMetadata,
  starts: FoundOffsets,
  ends: FoundOffsets,
): TopicSurvey {
  const surveyed = partitions.map((one) => {
    const key = keyOf({ topic: name, partition: one.partition })
    const start = starts.offsets.get(key)?.offset ?? null
    const end = ends.offsets.get(key)?.offset ?? null
    return { ...one, start, end, error: starts.errors.get(key) ?? ends.errors.get(key) }
  })
  return { name, id, internal, partitions: surveyed }
}
