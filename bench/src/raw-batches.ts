import { once } from 'node:events'
import { connect } from 'node:net'
import { zstdCompressSync } from 'node:zlib'
import { crc32c, Reader } from '@platformatic/kafka'

// Batches that no producer makes, and that a broker takes: it looks into a batch of a topic without compaction no
// further than at the number of its records.

const recordsAt = 61

/** A zigzag varint of a number that is not negative. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

/** Attributes, two deltas, the lengths of key and value, and how many headers there are. */
function record(delta: number, key: Buffer, value: Buffer, headers: number, rest: Buffer): Buffer {
  const [keyLength, valueLength] = [varint(key.length), varint(value.length)]
  const head = [Buffer.from([0, 0]), varint(delta), keyLength, key, valueLength, value, varint(headers), rest]
  const body = Buffer.concat(head)
  return Buffer.concat([varint(body.length), body])
}

/** One record with so many headers without name and value. */
export function headerBomb(headers: number): Buffer {
  const nothing = Buffer.alloc(0)
  return batch([record(0, nothing, nothing, headers, Buffer.alloc(headers * 2))])
}

/** So many records of a byte of key and a byte of value. */
export function tinyRecords(count: number): Buffer {
  const nothing = Buffer.alloc(0)
  return batch(
    Array.from({ length: count }, (_, i) => record(i, Buffer.from([i & 255]), Buffer.from([i & 255]), 0, nothing)),
  )
}

function batch(records: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(recordsAt), zstdCompressSync(Buffer.concat(records))])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(-1, 12)
  bytes.writeUInt8(2, 16)
  bytes.writeInt16BE(4, 21)
  bytes.writeInt32BE(records.length - 1, 23)
  const nowMs = BigInt(Date.now())
  bytes.writeBigInt64BE(nowMs, 27)
  bytes.writeBigInt64BE(nowMs, 35)
  // No producer id, epoch and sequence.
  bytes.fill(0xff, 43, 57)
  bytes.writeInt32BE(records.length, 57)
  bytes.writeUInt32BE(crc32c(Reader.from(bytes.subarray(21)).buffer), 17)
  return bytes
}

/** Sends a batch as it is (Produce 7, acks 1), on a connection of its own. @throws Error with the broker's error code */
export async function produceRaw(bootstrap: string, topic: string, partition: number, bytes: Buffer): Promise<void> {
  const [, host, port] = /^(.*):(\d+)$/.exec(bootstrap)!
  const name = Buffer.from(topic)
  const head = Buffer.alloc(16)
  head.writeInt16BE(7, 2)
  // The correlation id is 0; no client id and no transactional id.
  head.writeInt16BE(-1, 8)
  head.writeInt16BE(-1, 10)
  head.writeInt16BE(1, 12)
  const request = [head.subarray(0, 14), int32(30_000), int32(1), int16(name.length), name]
  const body = Buffer.concat([...request, int32(1), int32(partition), int32(bytes.length), bytes])
  const socket = connect(Number(port), host)
  try {
    socket.write(Buffer.concat([int32(body.length), body]))
    let answer = Buffer.alloc(0)
    const errorAt = 4 + 4 + 4 + 2 + name.length + 4 + 4
    while (answer.length < errorAt + 2) answer = Buffer.concat([answer, ...((await once(socket, 'data')) as Buffer[])])
    const code = answer.readInt16BE(errorAt)
    if (code !== 0) throw new Error(`the broker refused the batch: error ${code}`)
  } finally {
    socket.destroy()
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}
