import { crc32c } from '../driver/codecs.ts'
import type { WireHeaders, WireRecord } from '../record/record.ts'
import type { BatchIdentity, Compression } from './batch.ts'
import { compress, compressionBits } from './compression.ts'
import { attribute, layout, lengthOverhead, magic } from './layout.ts'

/** What a batch takes beside its records. */
export const batchOverheadBytes = layout.records

/** Length, attributes, timestamp and offset deltas, lengths of key and value, count of headers, at their largest. */
const recordOverheadBytes = 5 + 1 + 10 + 5 + 5 + 5 + 5

/** Gives a buffer of at least so many bytes, shared with nobody. */
export type Allocate = (bytes: number) => Buffer

/** A scratch that grew for one huge batch is not kept for ever. */
const keptScratchBytes = 4_194_304

// One encoder runs at a time: encoding is synchronous. Records go to `out`, behind room for the batch's own fields: into
// the batch itself, or, where they are to be compressed, into a scratch that is kept.
let scratch: Buffer = Buffer.allocUnsafeSlow(262_144)
let out: Buffer = scratch
let position = 0

/** An upper bound of what a record takes in a batch before compression, in bytes. */
export function recordSizeUpperBound({ key, value, headers }: WireRecord): number {
  let size = recordOverheadBytes
  if (key) size += key.length
  if (value) size += value.length
  if (headers) for (const [name, content] of headers) size += 10 + name.length + (content ? content.length : 0)
  return size
}

/**
 * Writes a record batch, as one buffer of its own. `identity` null: from a producer that is not idempotent.
 * @param records at least one; their timestamps may lie as far apart as they like
 */
export function encodeBatch(
  records: readonly WireRecord[],
  compression: Compression,
  identity: BatchIdentity | null,
  allocate: Allocate = (bytes) => Buffer.allocUnsafeSlow(bytes),
): Buffer {
  const first = records[0]
  if (!first) throw new RangeError('a batch needs a record')
  const baseTimestamp = first.timestampMs
  let maxTimestamp = baseTimestamp
  out = compression === 'none' ? allocate(batchSizeUpperBound(records)) : scratch
  position = layout.records
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!
    if (record.timestampMs > maxTimestamp) maxTimestamp = record.timestampMs
    writeRecord(record, i, record.timestampMs - baseTimestamp)
  }
  const batch = takeBatch(compression, allocate)
  const attributes = compressionBits(compression) | (identity?.transactional ? attribute.transactional : 0)
  batch.fill(0, layout.baseOffset, layout.length)
  batch.writeInt32BE(batch.length - lengthOverhead, layout.length)
  batch.writeInt32BE(-1, layout.leaderEpoch)
  batch[layout.magic] = magic
  batch.writeInt16BE(attributes, layout.attributes)
  batch.writeInt32BE(records.length - 1, layout.lastOffsetDelta)
  batch.writeBigInt64BE(BigInt(baseTimestamp), layout.baseTimestamp)
  batch.writeBigInt64BE(BigInt(maxTimestamp), layout.maxTimestamp)
  batch.writeInt32BE(records.length, layout.count)
  writeIdentity(batch, identity)
  return batch
}

function writeIdentity(batch: Buffer, identity: BatchIdentity | null): void {
  batch.writeBigInt64BE(identity?.producerId ?? -1n, layout.producerId)
  batch.writeInt16BE(identity?.epoch ?? -1, layout.producerEpoch)
  batch.writeInt32BE(identity?.baseSequence ?? -1, layout.baseSequence)
  batch.writeUInt32BE(crc32c(batch.subarray(layout.attributes)), layout.crc)
}

function batchSizeUpperBound(records: readonly WireRecord[]): number {
  let size = batchOverheadBytes
  for (const record of records) size += recordSizeUpperBound(record)
  return size
}

/** What was written, compressed where that is wanted, as a buffer of its own. */
function takeBatch(compression: Compression, allocate: Allocate): Buffer {
  const written = out
  out = scratch
  if (compression === 'none') return written.subarray(0, position)
  scratch = written.length > keptScratchBytes ? Buffer.allocUnsafeSlow(keptScratchBytes) : written
  const records = compress(compression, written.subarray(layout.records, position))
  const length = layout.records + records.length
  const batch = allocate(length).subarray(0, length)
  records.copy(batch, layout.records)
  return batch
}

function writeRecord({ key, value, headers }: WireRecord, offsetDelta: number, timestampDelta: number): void {
  const keyLength = key ? key.length : -1
  const valueLength = value ? value.length : -1
  const headerCount = headers ? headers.length : 0
  let length = 1 + longSize(timestampDelta) + intSize(offsetDelta)
  length += intSize(keyLength) + (key ? keyLength : 0) + intSize(valueLength) + (value ? valueLength : 0)
  length += intSize(headerCount) + (headers ? headersSize(headers) : 0)
  ensureRoom(length + 5)
  writeInt(length)
  out[position++] = 0
  writeLong(timestampDelta)
  writeInt(offsetDelta)
  writeBytes(key, keyLength)
  writeBytes(value, valueLength)
  writeInt(headerCount)
  if (!headers) return
  for (const [name, content] of headers) {
    writeBytes(name, name.length)
    writeBytes(content, content ? content.length : -1)
  }
}

function headersSize(headers: WireHeaders): number {
  let size = 0
  for (const [name, content] of headers) {
    size += intSize(name.length) + name.length + intSize(content ? content.length : -1)
    if (content) size += content.length
  }
  return size
}

function ensureRoom(bytes: number): void {
  if (position + bytes <= out.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, position + bytes))
  out.copy(larger, 0, 0, position)
  out = larger
}

function writeBytes(bytes: Buffer | null, length: number): void {
  writeInt(length)
  if (!bytes) return
  bytes.copy(out, position)
  position += length
}

/** A zigzag varint of 32 bits. */
function writeInt(value: number): void {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 127) {
    out[position++] = (rest & 127) | 128
    rest >>>= 7
  }
  out[position++] = rest
}

/** A zigzag varint of 64 bits, of an integer that a Number holds exactly once doubled. */
function writeLong(value: number): void {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  while (rest > 127) {
    out[position++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  out[position++] = rest
}

function intSize(value: number): number {
  const rest = ((value << 1) ^ (value >> 31)) >>> 0
  return rest < 0x80 ? 1 : rest < 0x4000 ? 2 : rest < 0x200000 ? 3 : rest < 0x10000000 ? 4 : 5
}

function longSize(value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  let size = 1
  while (rest > 127) {
    rest = Math.floor(rest / 128)
    size++
  }
  return size
}
