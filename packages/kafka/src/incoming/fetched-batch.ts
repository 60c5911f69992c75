import type { BatchHeader } from '../batch/decoded.ts'

/**
 * What one fetch brought for one partition. Its memory can only go as a whole, with the last batch of it. A class for the
 * reason given at `PartitionAnswer`.
 */
export class Chunk {
  readonly buffer: Buffer
  unfinishedBatches: number

  constructor(buffer: Buffer, batches: number) {
    this.buffer = buffer
    this.unfinishedBatches = batches
  }
}

/** A batch as it came: decoded only when its records are needed, released when the last of them is finished. */
export class FetchedBatch {
  readonly chunk: Chunk
  readonly header: BatchHeader
  /** The next offset behind it and behind whatever follows it that is not to be handled. */
  end: number
  /** Records of it that are not finished. */
  unfinished: number
  /** Its records are known by their number. */
  isCounted = false
  /** None of its records is left to be taken. */
  isTaken = false
  /** What decompression added. */
  expandedBytes = 0

  constructor(chunk: Chunk, header: BatchHeader) {
    this.chunk = chunk
    this.header = header
    this.end = header.lastOffset + 1
    this.unfinished = Math.max(0, header.count)
  }
}
