import { snappyCompressBlock, snappyDecompressBlock } from '../driver/codecs.ts'
import { BatchTooLargeError } from '../errors.ts'

/** What Java's writer (xerial) puts before its blocks: a magic, its version, and the oldest that can read it. */
const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const magicBytes = 8

/** The block size of Java's writer. */
const blockBytes = 32_768

/** Blocks of Snappy, each after its length, as Java's client frames them. */
export function snappyCompress(bytes: Buffer): Buffer {
  const parts: Buffer[] = [header]
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const block = snappyCompressBlock(bytes.subarray(start, start + blockBytes))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

/**
 * Framed blocks, or one raw block, as other clients write it.
 * @throws RangeError where the bytes are neither.
 */
export function snappyDecompress(bytes: Buffer, maxBytes: number): Buffer {
  const framed = bytes.length >= header.length && bytes.compare(header, 0, magicBytes, 0, magicBytes) === 0
  if (!framed) return decompressBlock(bytes, maxBytes)
  const parts: Buffer[] = []
  let left = maxBytes
  for (let position = header.length; position < bytes.length;) {
    const length = position + 4 > bytes.length ? -1 : bytes.readInt32BE(position)
    if (length < 0 || position + 4 + length > bytes.length) throw new RangeError('a Snappy block ends too early')
    const block = decompressBlock(bytes.subarray(position + 4, position + 4 + length), left)
    parts.push(block)
    left -= block.length
    position += 4 + length
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function decompressBlock(block: Buffer, maxBytes: number): Buffer {
  const size = decodedSize(block)
  if (size > maxBytes) throw new BatchTooLargeError(maxBytes)
  if (size === 0) return Buffer.alloc(0)
  const bytes = snappyDecompressBlock(block)
  if (bytes.length !== size) throw new RangeError('a Snappy block is not of the size that it says')
  return bytes
}

/** A raw block begins with its size once decompressed, as a varint. */
function decodedSize(block: Buffer): number {
  let size = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) break
    size += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return size
  }
  throw new RangeError('no Snappy block')
}
