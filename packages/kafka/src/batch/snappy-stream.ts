import { snappyCompressBlock } from '../driver/codecs.ts'
import { BatchTooLargeError } from '../errors.ts'
import { copyBackReference, copyLiterals } from './copy.ts'

/** What Java's writer (xerial) puts before its blocks: a magic, its version, and the oldest that can read it. */
const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const magicBytes = 8

/** The block size of Java's writer. */
const blockBytes = 32_768

/** No element makes more of its bytes: a copy of 64 bytes takes three. */
const largestRatio = 22

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
 * Decompresses framed blocks, or one raw block, as other clients write it. For why it is written here see
 * `lz4-frame.ts`. Source: google/snappy's format description; the framing of xerial/snappy-java.
 * @throws BatchTooLargeError; RangeError where the bytes are neither.
 */
export function snappyDecompress(bytes: Buffer, maxBytes: number): Buffer {
  const blocks = findBlocks(bytes)
  const size = blocks.reduce((sum, block) => sum + block.decodedSize, 0)
  if (size > maxBytes) throw new BatchTooLargeError(maxBytes)
  const output = Buffer.allocUnsafeSlow(size)
  let written = 0
  for (const block of blocks) {
    decodeBlock(bytes, block, output, written)
    written += block.decodedSize
  }
  return output
}

/** A block within its bytes: its elements lie behind the varint that says its decompressed size. */
interface Block {
  readonly elements: number
  readonly end: number
  readonly decodedSize: number
}

function findBlocks(bytes: Buffer): readonly Block[] {
  if (!isHeader(bytes, 0)) return [blockAt(bytes, 0, bytes.length)]
  const blocks: Block[] = []
  for (let position = header.length; position < bytes.length;) {
    // Streams may follow each other, as xerial's reader takes them.
    if (isHeader(bytes, position)) {
      position += header.length
      continue
    }
    const length = position + 4 > bytes.length ? -1 : bytes.readInt32BE(position)
    const end = position + 4 + length
    if (length < 0 || end > bytes.length) throw new RangeError('a Snappy block ends too early')
    blocks.push(blockAt(bytes, position + 4, end))
    position = end
  }
  return blocks
}

function isHeader(bytes: Buffer, at: number): boolean {
  return at + header.length <= bytes.length && bytes.compare(header, 0, magicBytes, at, at + magicBytes) === 0
}

function blockAt(bytes: Buffer, start: number, end: number): Block {
  let decodedSize = 0
  for (let i = 0; i < 5 && start + i < end; i++) {
    const byte = bytes[start + i]!
    decodedSize += (byte & 0x7f) * 2 ** (7 * i)
    if (byte >= 0x80) continue
    const elements = start + i + 1
    // Before memory is taken for it.
    if (decodedSize > (end - elements) * largestRatio) throw damaged()
    return { elements, end, decodedSize }
  }
  throw new RangeError('no Snappy block')
}

function decodeBlock(bytes: Buffer, { elements, end, decodedSize }: Block, output: Buffer, start: number): void {
  const full = start + decodedSize
  let position = elements
  let written = start
  while (position < end) {
    const tag = bytes[position++]!
    const kind = tag & 3
    let length = (tag >> 2) + 1
    if (kind === 0) {
      if (length > 60) {
        const lengthBytes = length - 60
        length = littleEndian(bytes, position, lengthBytes) + 1
        position += lengthBytes
      }
      if (position + length > end || written + length > full) throw damaged()
      copyLiterals(bytes, position, output, written, length)
      position += length
    } else {
      // One, two or four bytes of distance; the shortest kind keeps three bits of it in the tag.
      const distanceBytes = kind === 3 ? 4 : kind
      if (position + distanceBytes > end) throw damaged()
      let distance = littleEndian(bytes, position, distanceBytes)
      position += distanceBytes
      if (kind === 1) {
        length = ((tag >> 2) & 7) + 4
        distance += (tag >> 5) << 8
      }
      // A block refers to itself alone.
      if (written + length > full || distance > written - start) throw damaged()
      copyBackReference(output, written, distance, length)
    }
    written += length
  }
  if (written !== full) throw damaged()
}

function littleEndian(bytes: Buffer, position: number, count: number): number {
  let value = 0
  for (let i = 0; i < count; i++) value += (bytes[position + i] ?? 0) * 2 ** (8 * i)
  return value
}

function damaged(): RangeError {
  return new RangeError('a Snappy block is not of the size that it says')
}
