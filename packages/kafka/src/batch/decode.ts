import { crc32c } from '../driver/codecs.ts'
import { BatchTooLargeError, CorruptBatchError } from '../errors.ts'
import type { WireHeaders } from '../record.ts'
import type { Compression } from './batch.ts'
import { compressions, decompress } from './compression.ts'
import { attribute, layout, lengthOverhead, magic } from './layout.ts'

/** A batch within a buffer, its records not yet looked at. */
export interface BatchHeader {
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
  /** How many records it holds. */
  readonly count: number
  /** Where the batch lies in its buffer. */
  readonly start: number
  readonly end: number
}

/** A record as read. Its bytes are views into the batch: copy what outlives it. */
export interface DecodedRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: WireHeaders | undefined
}

export interface DecodeOptions {
  /** How many bytes a batch may take once decompressed. Default 134,217,728 (128 MiB). */
  readonly maxDecodedBytes?: number
}

const defaultMaxDecodedBytes = 134_217_728

/** No record is smaller: a length, attributes, two deltas, two lengths and a count, a byte each. */
const smallestRecordBytes = 7

/**
 * Walks the batches of a fetched partition without reading their records. Stops cleanly at a last batch that is cut
 * off, as a broker sends it.
 * @throws CorruptBatchError where the bytes cannot be a batch of format 2
 */
export function* readBatchHeaders(buffer: Buffer): Generator<BatchHeader, void, void> {
  let start = 0
  while (start + layout.records <= buffer.length) {
    const baseOffset = int64(buffer, start + layout.baseOffset)
    const end = start + lengthOverhead + buffer.readInt32BE(start + layout.length)
    if (buffer[start + layout.magic] !== magic) {
      throw new CorruptBatchError(baseOffset, `its format is ${buffer[start + layout.magic]}, not ${magic}`)
    }
    if (end < start + layout.records) throw new CorruptBatchError(baseOffset, 'its length is impossible')
    if (end > buffer.length) return
    yield readHeader(buffer, start, end, baseOffset)
    start = end
  }
}

/**
 * Checks the batch's CRC, decompresses it and reads its records.
 * @throws CorruptBatchError, BatchTooLargeError
 */
export function decodeRecords(buffer: Buffer, header: BatchHeader, options: DecodeOptions = {}): DecodedRecord[] {
  const { start, end, baseOffset } = header
  if (crc32c(buffer.subarray(start + layout.attributes, end)) !== buffer.readUInt32BE(start + layout.crc)) {
    throw new CorruptBatchError(baseOffset, 'its checksum does not fit its bytes')
  }
  const bytes = plainRecords(buffer.subarray(start + layout.records, end), header, options)
  if (header.count < 0 || header.count > bytes.length / smallestRecordBytes) {
    throw new CorruptBatchError(baseOffset, `it cannot hold the ${header.count} records that it claims`)
  }
  const reader = new RecordReader(bytes, header)
  const records: DecodedRecord[] = []
  for (let i = 0; i < header.count; i++) records.push(reader.next())
  return records
}

function plainRecords(bytes: Buffer, header: BatchHeader, { maxDecodedBytes = defaultMaxDecodedBytes }: DecodeOptions) {
  if (header.compression === 'none') return bytes
  try {
    return decompress(header.compression, bytes, maxDecodedBytes)
  } catch (error) {
    if (error instanceof BatchTooLargeError) throw error
    throw new CorruptBatchError(header.baseOffset, `it cannot be decompressed (${header.compression})`, error)
  }
}

function readHeader(buffer: Buffer, start: number, end: number, baseOffset: number): BatchHeader {
  const attributes = buffer.readInt16BE(start + layout.attributes)
  const compression = compressions[attributes & attribute.compression]
  if (!compression) throw new CorruptBatchError(baseOffset, 'its compression is unknown')
  return {
    baseOffset,
    lastOffset: baseOffset + buffer.readInt32BE(start + layout.lastOffsetDelta),
    leaderEpoch: buffer.readInt32BE(start + layout.leaderEpoch),
    attributes,
    compression,
    control: (attributes & attribute.control) !== 0,
    transactional: (attributes & attribute.transactional) !== 0,
    logAppendTime: (attributes & attribute.logAppendTime) !== 0,
    baseTimestampMs: int64(buffer, start + layout.baseTimestamp),
    maxTimestampMs: int64(buffer, start + layout.maxTimestamp),
    producerId: buffer.readBigInt64BE(start + layout.producerId),
    epoch: buffer.readInt16BE(start + layout.producerEpoch),
    baseSequence: buffer.readInt32BE(start + layout.baseSequence),
    count: buffer.readInt32BE(start + layout.count),
    start,
    end,
  }
}

/** A Number is exact here, and an order of magnitude faster than a BigInt. */
function int64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 4_294_967_296 + buffer.readUInt32BE(at + 4)
}

class RecordReader {
  readonly #bytes: Buffer
  readonly #header: BatchHeader
  #position = 0

  constructor(bytes: Buffer, header: BatchHeader) {
    this.#bytes = bytes
    this.#header = header
  }

  next(): DecodedRecord {
    const { baseOffset, baseTimestampMs, maxTimestampMs, logAppendTime } = this.#header
    const length = this.#int()
    const end = this.#position + length
    if (length < 0 || end > this.#bytes.length) throw this.#corrupt()
    this.#position++
    const timestampDelta = this.#long()
    const offset = baseOffset + this.#int()
    const key = this.#slice()
    const value = this.#slice()
    const headers = this.#headers()
    if (this.#position !== end) throw this.#corrupt()
    return {
      offset,
      timestampMs: logAppendTime ? maxTimestampMs : baseTimestampMs + timestampDelta,
      key,
      value,
      headers,
    }
  }

  #headers(): WireHeaders | undefined {
    const count = this.#int()
    if (count === 0) return undefined
    if (count < 0 || count > this.#bytes.length - this.#position) throw this.#corrupt()
    const headers: Array<readonly [Buffer, Buffer | null]> = []
    for (let i = 0; i < count; i++) {
      const name = this.#slice()
      if (!name) throw this.#corrupt()
      headers.push([name, this.#slice()])
    }
    return headers
  }

  #slice(): Buffer | null {
    const length = this.#int()
    if (length < 0) return null
    const start = this.#position
    const end = start + length
    if (end > this.#bytes.length) throw this.#corrupt()
    this.#position = end
    return this.#bytes.subarray(start, end)
  }

  /** A zigzag varint of 32 bits. */
  #int(): number {
    const bytes = this.#bytes
    let position = this.#position
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[position++]
      if (byte === undefined) throw this.#corrupt()
      value |= (byte & 127) << shift
      if (byte < 128) {
        this.#position = position
        return (value >>> 1) ^ -(value & 1)
      }
    }
    throw this.#corrupt()
  }

  /** A zigzag varint of 64 bits, as a Number. */
  #long(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#position++]
      if (byte === undefined) throw this.#corrupt()
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 ? -(value + 1) / 2 : value / 2
      factor *= 128
    }
    throw this.#corrupt()
  }

  #corrupt(): CorruptBatchError {
    return new CorruptBatchError(this.#header.baseOffset, 'its records do not lie as they should')
  }
}
