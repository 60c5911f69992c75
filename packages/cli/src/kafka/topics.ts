import type {
  Admin,
  PartitionMetadata,
  PartitionSurvey,
  SurveyOptions,
  TopicDescription,
  UnknownTopic,
} from '@sluice/kafka'
import { CliError } from '../cli-error.ts'
import { nearest } from '../nearest.ts'
import { figure } from '../output/figures.ts'
import { reasonOf, type Unknown } from '../output/unknown.ts'
import { isRefused, isRefusedForGood } from './refused.ts'

/** A topic with the number of offsets between the ends of its log. */
export interface SizedTopic {
  readonly name: string
  readonly partitions: readonly SizedPartition[]
  /** As many as the log spans: compaction and transactions leave gaps. */
  readonly records: number
}

export interface SizedPartition extends PartitionMetadata {
  readonly start: number
  readonly end: number
}

/** A topic whose size is known as far as its leaders answered. */
export interface SurveyedTopic {
  readonly name: string
  readonly partitions: readonly PartitionSurvey[]
  /** Of the partitions that are known; null where none is. */
  readonly records: number | null
  /** The partitions that are not, and why. */
  readonly unknown: readonly Unknown[]
}

/** Topics as far as they are known, and why the others are not. */
export interface SurveyedTopics {
  readonly topics: readonly SurveyedTopic[]
  readonly unknown: readonly Unknown[]
}

/** That these topics are there and may be seen. @throws CliError that names what is most like the one that is missing */
export async function requireTopics(admin: Admin, names: readonly string[]): Promise<readonly TopicDescription[]> {
  try {
    return await admin.describeTopics(names, { configs: false })
  } catch (error) {
    if (!isRefused(error, 'UNKNOWN_TOPIC_OR_PARTITION')) throw error
    return await throwUnknown(admin, names)
  }
}

/** The same for one topic and some of its partitions. @throws CliError that names a partition that it does not have */
export async function requirePartitions(admin: Admin, name: string, wanted: readonly number[] = []): Promise<void> {
  const [topic] = await requireTopics(admin, [name])
  const count = topic!.partitions.length
  const missing = wanted.find((partition) => partition >= count)
  if (missing === undefined) return
  throw new CliError('partition_unknown', `${name} has no partition ${missing}`, `it has 0 to ${count - 1}`)
}

async function throwUnknown(admin: Admin, names: readonly string[]): Promise<never> {
  const known = await admin.listTopics({ internal: true })
  const missing = names.find((name) => !known.includes(name)) ?? names[0]!
  const meant = nearest(missing, known)
  throw new CliError(
    'topic_unknown',
    `there is no topic ${missing}`,
    `${meant === undefined ? '' : `did you mean ${meant}? `}\`sluice topics list\` shows what there is`,
  )
}

/** Partitions with their ends, all of them. @throws ClusterTimeoutError where a leader does not tell them */
export async function sizesOf(admin: Admin, names: readonly string[]): Promise<readonly SizedTopic[]> {
  const described = await admin.describeTopics(names, { configs: false })
  const starts = await endsByPlace(admin, names, 'earliest')
  const ends = await endsByPlace(admin, names, 'latest')
  const sized = described.map(({ name, partitions: all }) => {
    const partitions = all.map((one) => {
      const key = `${name}/${one.partition}`
      return { ...one, start: starts.get(key) ?? 0, end: ends.get(key) ?? 0 }
    })
    return { name, partitions, records: partitions.reduce((sum, { start, end }) => sum + Math.max(0, end - start), 0) }
  })
  return sized.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Topics with their ends as far as these are known: of these, else of all. */
export async function surveyTopics(
  admin: Admin,
  names: readonly string[] | null,
  options: SurveyOptions & { readonly internal?: boolean },
): Promise<SurveyedTopics> {
  const survey = await admin.surveyTopics(names, options)
  const topics = survey.topics.map(({ name, partitions }) => {
    const unknown = partitions.flatMap(({ partition, error }) =>
      error === undefined ? [] : [{ what: `${name}/${partition}`, error }],
    )
    return { name, partitions, unknown, records: recordsIn(partitions) }
  })
  // Of a list, one that is gone meanwhile is no longer in it.
  const missing = survey.unknown.filter(
    ({ error }) => names !== null || !isRefused(error, 'UNKNOWN_TOPIC_OR_PARTITION'),
  )
  return { topics, unknown: missing.map(({ topic, error }) => ({ what: topic, error })) }
}

/** @throws CliError or BrokerError for the first that is not there or may not be seen */
export async function throwRefusedTopic(admin: Admin, unknown: readonly UnknownTopic[]): Promise<void> {
  const refused = unknown.find(({ error }) => isRefusedForGood(error))
  if (!refused) return
  if (isRefused(refused.error, 'UNKNOWN_TOPIC_OR_PARTITION')) await throwUnknown(admin, [refused.topic])
  throw refused.error
}

/** `1,200`; `>= 1,200` where some partitions are not known, and nothing where none is. */
export function recordsCell({ records, unknown }: SurveyedTopic): string | number | null {
  return records === null || unknown.length === 0 ? records : `>= ${figure(records)}`
}

/** For programs: which partitions are not known, and why. */
export function unknownJson(partitions: readonly PartitionSurvey[]) {
  return partitions.flatMap(({ partition, error }) =>
    error === undefined ? [] : [{ partition, error: reasonOf(error) }],
  )
}

function recordsIn(partitions: readonly PartitionSurvey[]): number | null {
  const known = partitions.flatMap(({ start, end }) =>
    start === null || end === null ? [] : [Math.max(0, end - start)],
  )
  if (known.length === 0 && partitions.length > 0) return null
  return known.reduce((sum, count) => sum + count, 0)
}

async function endsByPlace(
  admin: Admin,
  names: readonly string[],
  at: 'earliest' | 'latest',
): Promise<ReadonlyMap<string, number>> {
  const found = await admin.offsets(names, at)
  return new Map(found.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
}
