import { CorruptBatchError } from '../errors.ts'
import { openBatchV2, readHeaderV2 } from './batch-v2.ts'
import { int64, layout, lengthOverhead, magic } from './layout.ts'
import { openMessage, readMessageHeader, smallestMessageBytes } from './message-set.ts'
import type { BatchHeader, DecodedRecord, DecodeLimits, RecordCursor } from './decoded.ts'
import type { DecodeOptions } from './decoded.ts'

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
