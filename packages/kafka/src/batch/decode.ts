import { CorruptBatchError } from '../errors.ts'
import type { WireHeaders } from '../record/record.ts'
import type { Compression } from './batch.ts'
import { openBatchV2, readHeaderV2 } from './batch-v2.ts'
import { int64, layout, lengthOverhead, magic } from './layout.ts'
import { openMessage, readMessageHeader, smallestMessageBytes } from './message-set.ts'

/** A batch within a buffer, its records not yet looked at. */
export interface BatchHeader {
  /** The message format: 2, or 0 and 1 for a message of before Kafka 0.11, which may be a wrapper around others. */
  readonly magic: number
  /** For a wrapper only a lower bound: it is unknown until the wrapper is opened. */
  readonly baseOffset: number
  /** Of the batch as it was written, though compaction may have taken its last record. */
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly attributes: number
  readonly compression: Compression
  readonly control: boolean
  readonly transactional: boolean
  /** The broker's own timestamps: every record then bears `maxTimestampMs`. */
  readonly logAppendTime: boolean
  readonly baseTimestampMs: number
  readonly maxTimestampMs: number
  readonly producerId: bigint
  readonly epoch: number
  readonly baseSequence: number
  /** How many records it claims to hold. A wrapper does not say, and counts as 1 until it is opened. */
  readonly count: number
  /** Where the batch lies in its buffer. */
  readonly start: number
  readonly end: number
}

/** A record as read. Its bytes are views into the batch: copy what outlives it. */
export interface DecodedRecord {
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: WireHeaders | undefined
}

/** What is read of a batch, at most. */
export interface DecodeOptions {
  /** How many bytes a batch may take once decompressed. Default 134,217,728 (128 MiB). */
  readonly maxDecodedBytes?: number
  /** Headers of one record. Default 10,000. */
  readonly maxHeaders?: number
  /** Bytes of the headers of one record. Default 16,777,216 (16 MiB). */
  readonly maxHeaderBytes?: number
}

export type DecodeLimits = Required<DecodeOptions>

export const defaultLimits: DecodeLimits = Object.freeze({
  maxDecodedBytes: 134_217_728,
  maxHeaders: 10_000,
  maxHeaderBytes: 16_777_216,
})

const EXTRA_HEADERS = 64
const EXTRA_HEADER_BYTES = 65_536
/** A header that is kept under another name has a longer one, twice where its record was replayed. */
const EXTRA_NAME_BYTES = 32

/** For copies of records in a retry topic, and for dead letters: they have some headers more than their records. */
export function limitsOfCopies(limits: DecodeLimits): DecodeLimits {
  const { maxHeaders, maxHeaderBytes } = limits
  const extraBytes = EXTRA_HEADER_BYTES + maxHeaders * EXTRA_NAME_BYTES
  return { ...limits, maxHeaders: maxHeaders + EXTRA_HEADERS, maxHeaderBytes: maxHeaderBytes + extraBytes }
}

/** The records of one batch, each decoded when it is taken: a batch of a million tiny ones costs no million objects. */
export interface RecordCursor {
  /** Records of the batch. */
  readonly count: number
  /** Those that were not read yet. */
  readonly left: number
  /** What the records take as bytes, decompressed. */
  readonly bytes: number
  /**
   * The next record; there has to be one left. The same object each time, which saves one for every record: copy what
   * has to outlive the next call.
   * @throws HeadersTooLargeError: only that record is lost. CorruptBatchError: nothing more of the batch can be read.
   */
  next(): DecodedRecord
  /** Passes over records that were read before. */
  skip(count: number): void
  /** Nothing more is to be read. */
  end(): void
}

/**
 * Walks the batches of a fetched partition without reading their records. Stops cleanly at a last batch that is cut
 * off, as a broker sends it.
 * @throws CorruptBatchError where the bytes cannot be a batch
 */
export function* readBatchHeaders(buffer: Buffer): Generator<BatchHeader, void, void> {
  let previousEnd = 0
  for (let start = 0; start + smallestMessageBytes <= buffer.length;) {
    const end = start + lengthOverhead + buffer.readInt32BE(start + layout.length)
    const header = readHeader(buffer, start, end, previousEnd)
    if (header === undefined) return
    yield header
    previousEnd = header.lastOffset + 1
    start = end
  }
}

/** Undefined: it is cut off. */
function readHeader(buffer: Buffer, start: number, end: number, previousEnd: number): BatchHeader | undefined {
  const format = buffer[start + layout.magic]!
  const baseOffset = int64(buffer, start + layout.baseOffset)
  if (format > magic) throw new CorruptBatchError(baseOffset, `its format is ${format}, not 0, 1 or 2`)
  const smallest = format === magic ? layout.records : smallestMessageBytes
  if (end < start + smallest) throw new CorruptBatchError(baseOffset, 'its length is impossible')
  if (end > buffer.length) return undefined
  return format === magic ? readHeaderV2(buffer, start, end) : readMessageHeader(buffer, start, end, previousEnd)
}

/**
 * Checks the batch's checksum and decompresses it; its records are read one by one.
 * @throws CorruptBatchError, BatchTooLargeError
 */
export function openBatch(buffer: Buffer, header: BatchHeader, limits: DecodeLimits): RecordCursor {
  return header.magic === magic ? openBatchV2(buffer, header, limits) : openMessage(buffer, header, limits)
}

/** All records of a batch. @throws CorruptBatchError, BatchTooLargeError, HeadersTooLargeError */
export function decodeRecords(buffer: Buffer, header: BatchHeader, options: DecodeOptions = {}): DecodedRecord[] {
  const cursor = openBatch(buffer, header, { ...defaultLimits, ...options })
  const records: DecodedRecord[] = []
  while (cursor.left > 0) {
    const { offset, timestampMs, key, value, headers } = cursor.next()
    records.push({ offset, timestampMs, key, value, headers })
  }
  return records
}
