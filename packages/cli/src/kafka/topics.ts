import type { Admin, PartitionMetadata, TopicDescription } from '@sluice/kafka'
import { CliError } from '../cli-error.ts'
import { nearest } from '../nearest.ts'
import { isRefused } from './refused.ts'

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

/** Partitions with their ends. */
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

async function endsByPlace(
  admin: Admin,
  names: readonly string[],
  at: 'earliest' | 'latest',
): Promise<ReadonlyMap<string, number>> {
  const found = await admin.offsets(names, at)
  return new Map(found.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
}
