import { ConfigError } from '@sluice/flow'
import type { TopicMetadata } from '../driver/driver.ts'

/** Of what is known of a cluster. */
export interface KnownTopics {
  topic(name: string): TopicMetadata | undefined
}

/**
 * How many partitions a topic has, where this one is not among them: no wait mends that. Undefined where it is, and where
 * the topic is not known to exist. A topic loses partitions only by being deleted and created again.
 */
export function countWithout(cluster: KnownTopics, topic: string, partition: number): number | undefined {
  const known = cluster.topic(topic)
  if (known?.errorCode !== 0 || partition < known.partitions.length) return undefined
  return known.partitions.length
}

/** The error for a partition that its topic does not have. */
export function missingPartition(topic: string, partition: number, count: number): ConfigError {
  return new ConfigError('partition', partition, `a partition of ${topic}, which has ${count} (0 to ${count - 1})`)
}
