import { crc32, gzipSync, zstdCompressSync } from 'node:zlib'

/** A record as the log holds it. */
export interface RawRecord {
  readonly key?: Buffer | null
  readonly value: Buffer | null
  /** Milliseconds since the epoch by Kafka's rule; a hostile producer writes other units. -1: none. */
  readonly timestamp?: bigint
  readonly headers?: ReadonlyArray<readonly [name: Buffer, value: Buffer | null]>
  /** Instead of `headers`: how many empty ones, which take two bytes each. */
  readonly emptyHeaders?: number
}

type Codec = 'none' | 'gzip' | 'zstd'
const codecBits: Readonly<Record<Codec, number>> = { none: 0, gzip: 1, zstd: 4 }
const compressBy: Readonly<Record<Codec, (plain: Buffer) => Buffer>> = {
  none: (plain) => plain,
  gzip: (plain) => gzipSync(plain),
  zstd: (plain) => zstdCompressSync(plain),
}

/** Where the fields of a batch of format 2 lie. */
export const field = { length: 8, magic: 16, crc: 17, attributes: 21, count: 57, records: 61 } as const

/** A batch of format 2, by the message format of Kafka's documentation; `pack` compresses instead of the codec's own. */
export function batchBytes(
  records: readonly RawRecord[],
  codec: Codec = 'none',
  pack: (plain: Buffer) => Buffer = compressBy[codec],
): Buffer {
  const [first = 0n] = records.map(timestampOf)
  const last = records.reduce(
    (highest, record) => (timestampOf(record) > highest ? timestampOf(record) : highest),
    first,
  )
  const body = pack(Buffer.concat(records.map((record, index) => recordBytes(record, index, first))))
  const batch = Buffer.alloc(field.records + body.length)
  batch.writeInt32BE(batch.length - 12, field.length)
  batch.writeInt8(2, field.magic)
  batch.writeInt16BE(codecBits[codec], field.attributes)
  batch.writeInt32BE(records.length - 1, 23)
  batch.writeBigInt64BE(first, 27)
  batch.writeBigInt64BE(last, 35)
  batch.writeBigInt64BE(-1n, 43)
  batch.writeInt16BE(-1, 51)
  batch.writeInt32BE(-1, 53)
  batch.writeInt32BE(records.length, field.count)
  body.copy(batch, field.records)
  return sealed(batch)
}

/** The same batch with the checksum that fits its bytes. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(field.attributes)), field.crc)
  return batch
}

/** Two frames with one between them that readers skip (RFC 8878, 3.1.2). */
export function zstdFrames(plain: Buffer): Buffer {
  const half = Math.floor(plain.length / 2)
  const skippable = Buffer.from('502a4d1804000000deadbeef', 'hex')
  return Buffer.concat([zstdCompressSync(plain.subarray(0, half)), skippable, zstdCompressSync(plain.subarray(half))])
}

/** Two members, the second of them empty. */
export function gzipMembers(plain: Buffer): Buffer {
  return Buffer.concat([gzipSync(plain), gzipSync(Buffer.alloc(0))])
}

const timestampOf = ({ timestamp = BigInt(Date.now()) }: RawRecord): bigint => timestamp

function recordBytes(record: RawRecord, offsetDelta: number, base: bigint): Buffer {
  const { key = null, value, headers = [], emptyHeaders } = record
  const named = headers.flatMap(([name, content]) => [...bytesField(name), ...bytesField(content)])
  const headerParts = emptyHeaders === undefined ? named : [Buffer.alloc(2 * emptyHeaders)]
  const body = Buffer.concat([
    Buffer.of(0),
    varint(timestampOf(record) - base),
    varint(BigInt(offsetDelta)),
    ...bytesField(key),
    ...bytesField(value),
    varint(BigInt(emptyHeaders ?? headers.length)),
    ...headerParts,
  ])
  return Buffer.concat([varint(BigInt(body.length)), body])
}

function bytesField(bytes: Buffer | null): Buffer[] {
  return bytes === null ? [varint(-1n)] : [varint(BigInt(bytes.length)), bytes]
}

/** A zigzag varint of up to 64 bits. */
function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc >>> 0
})

/** Castagnoli's, by the table. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** A message of format 0 or 1, as Kafka wrote until 0.10. A wrapper holds a set of others, compressed. */
export interface OldMessage {
  readonly offset: number
  readonly key?: Buffer | null
  readonly value: Buffer
  readonly timestampMs?: number
  readonly gzip?: boolean
}

/** Consecutive messages of an old format. */
export function messageSet(format: 0 | 1, messages: readonly OldMessage[]): Buffer {
  return Buffer.concat(messages.map((message) => messageBytes(format, message)))
}

/** One compressed message that holds these; format 1 counts the offsets within it from 0. */
export function wrappedSet(format: 0 | 1, messages: readonly OldMessage[]): Buffer {
  const first = messages[0]!.offset
  const inner = format === 0 ? messages : messages.map((one) => ({ ...one, offset: one.offset - first }))
  const { offset, timestampMs = 0 } = messages.at(-1)!
  return messageBytes(format, { offset, timestampMs, value: gzipSync(messageSet(format, inner)), gzip: true })
}

function messageBytes(format: 0 | 1, { offset, key = null, value, timestampMs = 0, gzip = false }: OldMessage): Buffer {
  const parts: Buffer[] = [Buffer.of(format, gzip ? 1 : 0)]
  if (format === 1) parts.push(int64(BigInt(timestampMs)))
  for (const bytes of [key, value]) parts.push(int32(bytes === null ? -1 : bytes.length), bytes ?? Buffer.alloc(0))
  const content = Buffer.concat(parts)
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32(content))
  return Buffer.concat([int64(BigInt(offset)), int32(content.length + 4), crc, content])
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
