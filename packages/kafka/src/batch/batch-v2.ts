import { crc32c } from '../driver/codecs.ts'
import { BatchTooLargeError, CorruptBatchError, HeadersTooLargeError } from '../errors.ts'
import { freeMemory } from '../free-memory.ts'
import { BadChecksumError } from './bad-checksum.ts'
import type { WireHeaders } from '../record/record.ts'
import { compressions, decompress } from './compression.ts'
import type { BatchHeader, DecodedRecord, DecodeLimits, RecordCursor } from './decoded.ts'
import { attribute, int64, layout } from './layout.ts'

/** No record is smaller: a length, attributes, two deltas, two lengths and a count, a byte each. */
const smallestRecordBytes = 7

/** Bytes of a batch that are not left to the garbage collector where no record came of them: it is late for such. */
const largeBytes = 4_194_304

/** The header of a batch of format 2, which lies whole in the buffer. @throws CorruptBatchError */
export function readHeaderV2(buffer: Buffer, start: number, end: number): BatchHeader {
  const attributes = buffer.readInt16BE(start + layout.attributes)
  const baseOffset = int64(buffer, start + layout.baseOffset)
  const lastOffset = baseOffset + buffer.readInt32BE(start + layout.lastOffsetDelta)
  if (lastOffset < baseOffset) throw new CorruptBatchError(baseOffset, 'it ends before it begins')
  return {
    magic: 2,
    baseOffset,
    lastOffset,
    leaderEpoch: buffer.readInt32BE(start + layout.leaderEpoch),
    attributes,
    // An unknown compression is refused when the batch is opened: the end of the batch is known without it.
    compression: compressions[attributes & attribute.compression] ?? 'none',
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

/** @throws CorruptBatchError, BatchTooLargeError */
export function openBatchV2(buffer: Buffer, header: BatchHeader, limits: DecodeLimits): RecordCursor {
  const { start, end, baseOffset, count } = header
  if (crc32c(buffer.subarray(start + layout.attributes, end)) !== buffer.readUInt32BE(start + layout.crc)) {
    throw new BadChecksumError(baseOffset)
  }
  const bytes = plainBytes(buffer.subarray(start + layout.records, end), header, limits.maxDecodedBytes)
  if (count < 0 || count > bytes.length / smallestRecordBytes) {
    throw new CorruptBatchError(baseOffset, `it cannot hold the ${count} records that it claims`)
  }
  return new RecordReader(bytes, header, limits)
}

/** Decompresses what a batch holds. @throws CorruptBatchError, BatchTooLargeError */
export function plainBytes(bytes: Buffer, { attributes, baseOffset }: BatchHeader, maxDecodedBytes: number): Buffer {
  const compression = compressions[attributes & attribute.compression]
  if (compression === undefined) throw new CorruptBatchError(baseOffset, 'its compression is unknown')
  if (compression === 'none') return bytes
  try {
    return decompress(compression, bytes, maxDecodedBytes)
  } catch (error) {
    if (error instanceof BatchTooLargeError) throw error
    throw new CorruptBatchError(baseOffset, `it cannot be decompressed (${compression})`, error)
  }
}

class RecordReader implements RecordCursor, DecodedRecord {
  offset = -1
  timestampMs = 0
  key: Buffer | null = null
  value: Buffer | null = null
  headers: WireHeaders | undefined
  readonly #bytes: Buffer
  readonly #header: BatchHeader
  readonly #limits: DecodeLimits
  #left: number
  #position = 0
  /** A record is a view into the bytes: from then on they are not ours alone. */
  #isShared: boolean

  constructor(bytes: Buffer, header: BatchHeader, limits: DecodeLimits) {
    this.#bytes = bytes
    this.#header = header
    this.#limits = limits
    this.#left = header.count
    this.offset = header.baseOffset - 1
    this.#isShared = (header.attributes & attribute.compression) === 0
  }

  get count(): number {
    return this.#header.count
  }

  get left(): number {
    return this.#left
  }

  get bytes(): number {
    return this.#bytes.length
  }

  skip(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#position = this.#endOfRecord()
      this.#left--
    }
  }

  end(): void {
    this.#left = 0
    if (!this.#isShared && this.#bytes.length > largeBytes) freeMemory(this.#bytes)
  }

  next(): DecodedRecord {
    this.#left--
    const { baseTimestampMs, maxTimestampMs, logAppendTime } = this.#header
    const end = this.#endOfRecord()
    this.#position++
    const timestampDelta = this.#long()
    this.timestampMs = logAppendTime ? maxTimestampMs : baseTimestampMs + timestampDelta
    this.offset = this.#offset()
    this.key = this.#slice()
    this.value = this.#slice()
    this.headers = this.#headers(end)
    if (this.#position !== end) throw this.#corrupt()
    this.#isShared = true
    return this
  }

  /** Where the record ends that begins here; behind its length afterwards. */
  #endOfRecord(): number {
    const length = this.#int()
    const end = this.#position + length
    if (length < 0 || end > this.#bytes.length) throw this.#corrupt()
    return end
  }

  /**
   * Brokers do not look at the offsets of records in a batch without compression: a producer can write any. One beyond
   * the batch would pass for the end of all that follows it, which then would never be handled.
   */
  #offset(): number {
    const { baseOffset, lastOffset } = this.#header
    const offset = baseOffset + this.#int()
    if (offset <= this.offset || offset > lastOffset) {
      throw new CorruptBatchError(baseOffset, `a record of it has the offset ${offset}, which cannot be`)
    }
    return offset
  }

  #headers(end: number): WireHeaders | undefined {
    const count = this.#int()
    if (count === 0) return undefined
    const bytes = end - this.#position
    if (count < 0 || count > bytes) throw this.#corrupt()
    if (count > this.#limits.maxHeaders || bytes > this.#limits.maxHeaderBytes) {
      // What follows it can still be read.
      this.#position = end
      if (this.#left === 0) this.end()
      throw new HeadersTooLargeError({ offset: this.offset, headers: count, headerBytes: bytes }, this.#limits)
    }
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

  /** A zigzag varint of 32 bits. Most are one byte long or two. */
  #int(): number {
    const first = this.#bytes[this.#position]!
    if (first < 128) {
      this.#position++
      return (first >>> 1) ^ -(first & 1)
    }
    const second = this.#bytes[this.#position + 1]!
    if (!(second < 128)) return this.#longInt()
    this.#position += 2
    const value = (first & 127) | (second << 7)
    return (value >>> 1) ^ -(value & 1)
  }

  #longInt(): number {
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
