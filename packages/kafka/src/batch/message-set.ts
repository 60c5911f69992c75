import { crc32 } from 'node:zlib'
import { CorruptBatchError } from '../errors.ts'
import { BadChecksumError } from './bad-checksum.ts'
import { plainBytes } from './batch-v2.ts'
import { compressions } from './compression.ts'
import type { BatchHeader, DecodedRecord, DecodeLimits, RecordCursor } from './decoded.ts'
import { attribute, int64, lengthOverhead } from './layout.ts'

/**
 * Message formats 0 and 1, of Kafka before 0.11. Nothing can be written in them any more, but a broker serves what is on
 * its disk as it is. Every message stands for itself. Compressed ones lie in the value of another message, the wrapper,
 * whose offset is that of the last of them. Source: KIP-31, KIP-32 and Kafka's `LegacyRecord`.
 */
const message = { offset: 0, length: 8, crc: 12, magic: 16, attributes: 17, timestamp: 18 } as const
/** Where the key's length stands, by format: format 0 has no timestamp. */
const keyAt = [18, 26] as const
/** With two empty lengths. */
const smallestBytes = [26, 34] as const

/** It came later than these formats. */
const zstd = compressions.indexOf('zstd')

export const smallestMessageBytes = smallestBytes[0]

/** The header of one message, as that of a batch. `previousEnd`: its first offset is not before. */
export function readMessageHeader(buffer: Buffer, start: number, end: number, previousEnd: number): BatchHeader {
  const magic = buffer[start + message.magic]!
  const lastOffset = int64(buffer, start)
  if (end - start < smallestBytes[magic]!) throw new CorruptBatchError(lastOffset, 'its length is impossible')
  const attributes = buffer[start + message.attributes]!
  const isWrapper = (attributes & attribute.compression) !== 0
  const timestampMs = magic === 0 ? -1 : int64(buffer, start + message.timestamp)
  return {
    magic,
    baseOffset: isWrapper ? Math.min(previousEnd, lastOffset) : lastOffset,
    lastOffset,
    leaderEpoch: -1,
    attributes,
    compression: compressions[attributes & attribute.compression] ?? 'none',
    control: false,
    transactional: false,
    logAppendTime: magic === 1 && (attributes & attribute.logAppendTime) !== 0,
    baseTimestampMs: timestampMs,
    maxTimestampMs: timestampMs,
    producerId: -1n,
    epoch: -1,
    baseSequence: -1,
    count: 1,
    start,
    end,
  }
}

/** @throws CorruptBatchError, BatchTooLargeError */
export function openMessage(buffer: Buffer, header: BatchHeader, limits: DecodeLimits): RecordCursor {
  const { start, end, attributes, baseOffset } = header
  const own = buffer.subarray(start, end)
  checkCrc(own, 0, own.length, baseOffset)
  if ((attributes & attribute.compression) === 0) return new MessageReader(own, header, false)
  if ((attributes & attribute.compression) === zstd)
    throw new CorruptBatchError(baseOffset, 'its compression is unknown')
  const { value } = readMessage(own, 0, own.length, header)
  if (value === null) throw new CorruptBatchError(baseOffset, 'it is compressed and has no value')
  return new MessageReader(plainBytes(value, header, limits.maxDecodedBytes), header, true)
}

/** Messages that lie one behind the other: a single one, or what a wrapper holds. */
class MessageReader implements RecordCursor {
  readonly count: number
  readonly #bytes: Buffer
  readonly #header: BatchHeader
  readonly #isWrapped: boolean
  /** What is added to the offset of a message. Within a wrapper of format 1 they are relative; the last one's is known. */
  readonly #firstOffset: number
  #left: number
  #position = 0
  /** The offset of the message before. */
  #lastOffset = -1

  constructor(bytes: Buffer, header: BatchHeader, isWrapped: boolean) {
    this.#bytes = bytes
    this.#header = header
    this.#isWrapped = isWrapped
    const { count, lastOffset } = survey(bytes, header)
    this.count = count
    this.#left = count
    this.#firstOffset = isWrapped && header.magic === 1 ? header.lastOffset - lastOffset : 0
  }

  get left(): number {
    return this.#left
  }

  get bytes(): number {
    return this.#bytes.length
  }

  skip(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#position = endOf(this.#bytes, this.#position)
      this.#left--
    }
  }

  end(): void {
    this.#left = 0
  }

  next(): DecodedRecord {
    const { logAppendTime, maxTimestampMs, lastOffset, attributes } = this.#header
    const start = this.#position
    const end = endOf(this.#bytes, start)
    this.#left--
    this.#position = end
    if (this.#isWrapped) {
      checkCrc(this.#bytes, start, end, lastOffset)
      const inner = this.#bytes[start + message.attributes]! & attribute.compression
      if (inner !== 0) throw new CorruptBatchError(lastOffset, 'a message within a compressed one is compressed itself')
    } else if ((attributes & attribute.compression) !== 0) throw damaged(lastOffset)
    const { timestampMs, key, value } = readMessage(this.#bytes, start, end, this.#header)
    const offset = int64(this.#bytes, start) + this.#firstOffset
    if (offset <= this.#lastOffset || offset > lastOffset) throw damaged(lastOffset)
    this.#lastOffset = offset
    return { offset, timestampMs: logAppendTime ? maxTimestampMs : timestampMs, key, value, headers: undefined }
  }
}

/** How many messages there are, and the offset of the last one as it is written. One that is cut off does not count. */
function survey(bytes: Buffer, { magic, lastOffset: baseOffset }: BatchHeader): { count: number; lastOffset: number } {
  let count = 0
  let lastOffset = 0
  for (let start = 0; start + smallestBytes[magic]! <= bytes.length; count++) {
    const end = endOf(bytes, start)
    if (end - start < smallestBytes[magic]! || bytes[start + message.magic] !== magic) throw damaged(baseOffset)
    if (end > bytes.length) break
    lastOffset = int64(bytes, start)
    start = end
  }
  if (count === 0) throw damaged(baseOffset)
  return { count, lastOffset }
}

function endOf(bytes: Buffer, start: number): number {
  return start + lengthOverhead + bytes.readInt32BE(start + message.length)
}

function readMessage(bytes: Buffer, start: number, end: number, { magic, lastOffset }: BatchHeader) {
  const key = slice(bytes, start + keyAt[magic]!, end, lastOffset)
  const value = slice(bytes, key.end, end, lastOffset)
  if (value.end !== end) throw damaged(lastOffset)
  const timestampMs = magic === 0 ? -1 : int64(bytes, start + message.timestamp)
  return { timestampMs, key: key.bytes, value: value.bytes }
}

/** Bytes behind their length; a negative one means null. */
function slice(bytes: Buffer, at: number, limit: number, offset: number): { bytes: Buffer | null; end: number } {
  if (at + 4 > limit) throw damaged(offset)
  const length = bytes.readInt32BE(at)
  const start = at + 4
  if (length < 0) return { bytes: null, end: start }
  if (start + length > limit) throw damaged(offset)
  return { bytes: bytes.subarray(start, start + length), end: start + length }
}

/** It covers what follows it, and is plain CRC-32. */
function checkCrc(bytes: Buffer, start: number, end: number, offset: number): void {
  if (crc32(bytes.subarray(start + message.magic, end)) === bytes.readUInt32BE(start + message.crc)) return
  throw new BadChecksumError(offset)
}

function damaged(offset: number): CorruptBatchError {
  return new CorruptBatchError(offset, 'its messages do not lie as they should')
}
