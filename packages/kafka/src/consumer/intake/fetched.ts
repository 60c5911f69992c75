import { committedBatches, type Damage } from '../../batch/committed.ts'
import type { BatchHeader } from '../../batch/decoded.ts'
import { layout, lengthOverhead } from '../../batch/layout.ts'
import { CorruptBatchError } from '../../errors.ts'
import type { FetchedPartition, Isolation } from '../../driver/driver.ts'
import type { Ask, Intake } from './intake.ts'
import { Chunk, FetchedBatch } from '../../incoming/fetched-batch.ts'
import { FIRST_BATCH_BYTES, type AssignedPartition } from '../partition.ts'
import { MAX_CUTS, MAX_ASK_BYTES } from '../../fetch/ask-limits.ts'

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
  const { batches, nextOffset, damage } = committedBatches(fetched.records, fetched.aborted, partition.position)
  partition.sizes.caughtUp = nextOffset !== undefined && nextOffset >= visibleEnd
  if (nextOffset === undefined) {
    if (damage === undefined) learnCutBatch(partition, fetched.records)
  } else {
    partition.sizes.cutInARow = 0
    partition.position = Math.max(partition.position, nextOffset)
  }
  const records = push(partition, fetched.records, batches)
  if (nextOffset !== undefined) partition.log!.skipTo(nextOffset)
  if (damage !== undefined) damaged(partition, damage)
  intake.settle(ask, batches.length === 0 ? 0 : fetched.records.length, records)
}

/** It may have been spoilt on its way, and is asked for again; what comes damaged twice is passed over. */
function damaged(partition: AssignedPartition, { offset, endOffset, error }: Damage): void {
  const { sizes } = partition
  const isSecond = sizes.damagedAt === offset
  sizes.damagedAt = isSecond ? -1 : offset
  if (!isSecond) return
  partition.log!.skipUnreadable(offset, endOffset, error)
  partition.position = endOffset
}

function push(partition: AssignedPartition, buffer: Buffer, batches: readonly BatchHeader[]): number {
  const chunk = new Chunk(buffer, batches.length)
  let records = 0
  let largest: BatchHeader | undefined
  for (const header of batches) {
    partition.log!.push(new FetchedBatch(chunk, header))
    partition.lastEpoch = header.leaderEpoch
    records += Math.max(0, header.count)
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
 * Not even one batch fitted: the next time ask for as much as its header says. One that stays cut is passed over.
 * @throws UnreadableBatchError
 */
function learnCutBatch(partition: AssignedPartition, records: Buffer): void {
  const { sizes, position } = partition
  sizes.cutInARow++
  if (sizes.cutInARow > MAX_CUTS) {
    const error = new CorruptBatchError(position, `it is cut off in ${sizes.cutInARow} answers in a row`)
    sizes.cutInARow = 0
    sizes.batchBytes = FIRST_BATCH_BYTES
    partition.log!.skipUnreadable(position, position + 1, error)
    partition.position = position + 1
    return
  }
  const length = records.length >= lengthOverhead ? lengthOverhead + records.readInt32BE(layout.length) : 0
  sizes.batchBytes = Math.min(Math.max(length, sizes.batchBytes * 2), MAX_ASK_BYTES)
}

const sizeOf = ({ start, end }: BatchHeader): number => end - start
