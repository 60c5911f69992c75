import { Ring } from '@sluice/flow/internal'
import type { Compression } from '../batch/batch.ts'
import { batchOverheadBytes, encodeBatch } from '../batch/encode.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Output } from '../outgoing/output.ts'
import type { ProducerIdentity } from '../driver/driver.ts'
import type { OutputTopics } from './output-topics.ts'
import { partitionOfKey, stickyPartition } from '../outgoing/partitioner.ts'
import type { PendingRecord } from '../outgoing/pending-record.ts'
import { sequenceAfter } from '../outgoing/sequence.ts'

/** What a transaction writes to one partition, in order. */
export interface PartitionBatches {
  readonly topic: string
  readonly partition: number
  /** Encoded; the first is the next to be sent. */
  readonly batches: Ring<Buffer>
  /** For each of them, how many records of this partition stand before it in the transaction. */
  readonly firstRecords: Ring<number>
  /** What each of them holds. */
  readonly contents: Ring<readonly Output[]>
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
): Map<string, Map<number, Output[]>> {
  const byTopic = new Map<string, Map<number, Output[]>>()
  const sticky = new Map<string, number>()
  for (const output of outputs) {
    const { topic, record } = output
    let partitions = byTopic.get(topic)
    if (partitions === undefined) byTopic.set(topic, (partitions = new Map()))
    const partition = partitionOf(topic, record, topics, cluster, sticky)
    const own = partitions.get(partition)
    if (own === undefined) partitions.set(partition, [output])
    else own.push(output)
  }
  return byTopic
}

/** Encodes the records of one partition under its next sequence numbers. */
export function encodePartition(
  topic: string,
  partition: number,
  outputs: readonly Output[],
  { producerId, epoch }: ProducerIdentity,
  sequences: Sequences,
  { batchBytes, compression }: BatchLimits,
): PartitionBatches {
  const key = `${topic}/${partition}`
  const batches = new Ring<Buffer>()
  const firstRecords = new Ring<number>()
  const contents = new Ring<readonly Output[]>()
  let first = 0
  for (const { outputs: content, compression: own } of split(outputs, batchBytes)) {
    const records = content.map(({ record }) => record)
    const baseSequence = sequences.get(key) ?? 0
    sequences.set(key, sequenceAfter(baseSequence, records.length))
    batches.push(encodeBatch(records, own ?? compression, { producerId, epoch, baseSequence, transactional: true }))
    firstRecords.push(first)
    contents.push(content)
    first += records.length
  }
  return { topic, partition, batches, firstRecords, contents }
}

interface BatchPart {
  readonly outputs: Output[]
  /** Undefined: as the others. */
  readonly compression: Compression | undefined
}

/** In parts that fit a batch each and are compressed alike; a record that is larger has one of its own. */
function split(outputs: readonly Output[], batchBytes: number): BatchPart[] {
  const parts: BatchPart[] = []
  let part: BatchPart | undefined
  let bytes = 0
  for (const output of outputs) {
    const { record, compression } = output
    if (part === undefined || part.compression !== compression || bytes + record.bytes > batchBytes) {
      parts.push((part = { outputs: [], compression }))
      bytes = batchOverheadBytes
    }
    part.outputs.push(output)
    bytes += record.bytes
  }
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
