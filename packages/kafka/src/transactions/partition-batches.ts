import { Ring } from '@sluice/flow'
import type { Compression } from '../batch/batch.ts'
import { batchOverheadBytes, encodeBatch } from '../batch/encode.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Output } from '../consumer/commit-route.ts'
import type { ProducerIdentity } from '../driver/driver.ts'
import type { OutputTopics } from './output-topics.ts'
import { partitionOfKey, stickyPartition } from '../producer/partitioner.ts'
import type { PendingRecord } from '../producer/pending-record.ts'
import { sequenceAfter } from '../producer/sequence.ts'

/** What a transaction writes to one partition, in order. */
export interface PartitionBatches {
  readonly topic: string
  readonly partition: number
  /** Encoded; the first is the next to be sent. */
  readonly batches: Ring<Buffer>
  /** For each of them, how many records of this partition stand before it in the transaction. */
  readonly firstRecords: Ring<number>
}

/** The next sequence numbers of a producer, by partition. */
export type Sequences = Map<string, number>

export interface BatchLimits {
  readonly batchBytes: number
  readonly compression: Compression
}

/** Where the records of a transaction go; those without a key or partition stick to one partition of their topic. */
export function byPartition(
  outputs: readonly Output[],
  topics: Pick<OutputTopics, 'partitions'>,
  cluster: Pick<Cluster, 'leader'>,
): Map<string, Map<number, PendingRecord[]>> {
  const byTopic = new Map<string, Map<number, PendingRecord[]>>()
  const sticky = new Map<string, number>()
  for (const { topic, record } of outputs) {
    let partitions = byTopic.get(topic)
    if (partitions === undefined) byTopic.set(topic, (partitions = new Map()))
    const partition = partitionOf(topic, record, topics, cluster, sticky)
    const records = partitions.get(partition)
    if (records === undefined) partitions.set(partition, [record])
    else records.push(record)
  }
  return byTopic
}

/** Encodes the records of one partition under its next sequence numbers. */
export function encodePartition(
  topic: string,
  partition: number,
  records: readonly PendingRecord[],
  { producerId, epoch }: ProducerIdentity,
  sequences: Sequences,
  { batchBytes, compression }: BatchLimits,
): PartitionBatches {
  const key = `${topic}/${partition}`
  const batches = new Ring<Buffer>()
  const firstRecords = new Ring<number>()
  let first = 0
  for (const part of split(records, batchBytes)) {
    const baseSequence = sequences.get(key) ?? 0
    sequences.set(key, sequenceAfter(baseSequence, part.length))
    batches.push(encodeBatch(part, compression, { producerId, epoch, baseSequence, transactional: true }))
    firstRecords.push(first)
    first += part.length
  }
  return { topic, partition, batches, firstRecords }
}

/** In parts that fit a batch each; a record that is larger has one of its own. */
function split(records: readonly PendingRecord[], batchBytes: number): PendingRecord[][] {
  const parts: PendingRecord[][] = []
  let part: PendingRecord[] = []
  let bytes = batchOverheadBytes
  for (const record of records) {
    if (part.length > 0 && bytes + record.bytes > batchBytes) {
      parts.push(part)
      part = []
      bytes = batchOverheadBytes
    }
    part.push(record)
    bytes += record.bytes
  }
  parts.push(part)
  return parts
}

function partitionOf(
  topic: string,
  { key, partition }: PendingRecord,
  topics: Pick<OutputTopics, 'partitions'>,
  cluster: Pick<Cluster, 'leader'>,
  sticky: Map<string, number>,
): number {
  if (partition >= 0) return partition
  const partitions = topics.partitions(topic)
  if (key !== null) return partitionOfKey(key, partitions)
  const known = sticky.get(topic)
  if (known !== undefined) return known
  const isAvailable = (one: number): boolean => cluster.leader(topic, one) !== undefined
  const chosen = stickyPartition(partitions, { isAvailable, backlog: () => 0 })
  sticky.set(topic, chosen)
  return chosen
}
