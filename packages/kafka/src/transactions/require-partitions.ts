import { countWithout, type KnownTopics, missingPartition } from '../cluster/missing-partition.ts'
import type { Output } from '../outgoing/output.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type { PartitionBatches } from './partition-batches.ts'

const unknownPartition = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

/**
 * To be called when the cluster was asked: a topic that was created again with fewer partitions will not get the others.
 * @throws ConfigError where a record asks for such a partition, after `onRefused`; BrokerError, where only keys led there:
 * the next transaction goes by the partitions that there are now
 */
export function requirePartitions(
  cluster: KnownTopics,
  batches: readonly PartitionBatches[],
  onRefused: ((outputs: readonly Output[]) => void) | undefined,
): void {
  for (const { topic, partition } of batches) {
    const count = countWithout(cluster, topic, partition)
    if (count === undefined) continue
    const refused = askingFor(batches, topic, count)
    const [first] = refused
    if (first === undefined) {
      throw brokerError(unknownPartition, `the topic has ${count} partitions now`, { topic, partition })
    }
    onRefused?.(refused)
    throw missingPartition(topic, first.record.partition, count)
  }
}

/** The records of a topic that name a partition from `count` on themselves. */
function askingFor(batches: readonly PartitionBatches[], topic: string, count: number): readonly Output[] {
  return batches
    .filter((one) => one.topic === topic)
    .flatMap(({ contents }) => [...contents].flat())
    .filter(({ record }) => record.partition >= count)
}
