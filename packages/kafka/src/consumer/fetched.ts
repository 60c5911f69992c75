import { committedBatches } from '../batch/committed.ts'
import type { BatchHeader } from '../batch/decode.ts'
import { layout, lengthOverhead } from '../batch/layout.ts'
import { CorruptBatchError } from '../errors.ts'
import type { FetchedPartition, Isolation } from '../driver/driver.ts'
import { UnreadableBatchError } from './errors.ts'
import type { Ask, Intake } from './intake.ts'
import { type Chunk, FetchedBatch } from './partition-log.ts'
import type { AssignedPartition } from './partition.ts'

/**
 * A broker gives the first batch whole, or so much of it that its header says how much to ask for: one that is still cut
 * after so many answers lies about its length.
 */
const MAX_CUTS = 8
const MAX_ASK_BYTES = 2 ** 31 - 1

/** How much of the largest batch seen is remembered from answer to answer. */
const SIZE_MEMORY = 0.9

/**
 * Brings the answer for one partition into its log, undecoded, and settles its reservation. Control batches and
 * aborted ones are passed over here, so that only what is to be handled takes room.
 * @throws UnreadableBatchError
 */
export function takeIn(ask: Ask, fetched: FetchedPartition, intake: Intake, isolation: Isolation): void {
  const { partition } = ask
  partition.highWatermark = fetched.highWatermark
  const visibleEnd = isolation === 'read_committed' ? fetched.lastStableOffset : fetched.highWatermark
  if (fetched.records === null || fetched.records.length === 0) {
    partition.sizes.caughtUp = partition.position >= visibleEnd
    return intake.settle(ask, 0, 0)
  }
  const { batches, nextOffset } = scan(partition, fetched.records, fetched)
  partition.sizes.caughtUp = nextOffset !== undefined && nextOffset >= visibleEnd
  if (nextOffset === undefined) {
    learnCutBatch(partition, fetched.records)
    return intake.settle(ask, 0, 0)
  }
  partition.sizes.cutInARow = 0
  partition.position = Math.max(partition.position, nextOffset)
  const records = push(partition, fetched.records, batches)
  partition.log!.skipTo(nextOffset)
  intake.settle(ask, records === 0 ? 0 : fetched.records.length, records)
}

function scan(partition: AssignedPartition, records: Buffer, { aborted }: FetchedPartition) {
  try {
    return committedBatches(records, aborted, partition.position)
  } catch (cause) {
    const { topicName, partition: number, position } = partition
    throw new UnreadableBatchError({ topic: topicName, partition: number, offset: position }, cause)
  }
}

function push(partition: AssignedPartition, buffer: Buffer, batches: readonly BatchHeader[]): number {
  const chunk: Chunk = { buffer, unfinishedBatches: batches.length }
  let records = 0
  let largest: BatchHeader | undefined
  for (const header of batches) {
    partition.log!.push(new FetchedBatch(chunk, header))
    partition.lastEpoch = header.leaderEpoch
    records += header.count
    if (largest === undefined || sizeOf(header) > sizeOf(largest)) largest = header
  }
  if (largest !== undefined) learn(partition, sizeOf(largest), records / batches.length)
  return records
}

function learn({ sizes }: AssignedPartition, batchBytes: number, batchRecords: number): void {
  sizes.batchBytes = Math.max(batchBytes, Math.ceil(sizes.batchBytes * SIZE_MEMORY))
  sizes.batchRecords = Math.max(1, (sizes.batchRecords + batchRecords) / 2)
}

/**
 * Not even one batch fitted: the next time ask for as much as its header says.
 * @throws UnreadableBatchError
 */
function learnCutBatch(partition: AssignedPartition, records: Buffer): void {
  const { sizes, position } = partition
  sizes.cutInARow++
  if (sizes.cutInARow > MAX_CUTS) {
    const cause = new CorruptBatchError(position, `it is cut off in ${sizes.cutInARow} answers in a row`)
    throw new UnreadableBatchError(
      { topic: partition.topicName, partition: partition.partition, offset: position },
      cause,
    )
  }
  const length = records.length >= lengthOverhead ? lengthOverhead + records.readInt32BE(layout.length) : 0
  sizes.batchBytes = Math.min(Math.max(length, sizes.batchBytes * 2), MAX_ASK_BYTES)
}

const sizeOf = ({ start, end }: BatchHeader): number => end - start
