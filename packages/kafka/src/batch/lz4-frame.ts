import { BatchTooLargeError } from '../errors.ts'
import { copyBackReference, copyLiterals } from './copy.ts'

const frameMagic = 0x184d2204
const skippableMagic = 0x184d2a50

/** What the descriptor's flags add to a frame. */
const flags = { blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 0x01 }

/** A block within its bytes. */
interface Block {
  readonly start: number
  readonly end: number
  readonly compressed: boolean
  readonly decodedSize: number
}

/**
 * Decompresses LZ4 frames, of independent or linked blocks. The size is found first, by walking the tokens without
 * writing a byte: it bounds the memory before any is taken. Checksums are not looked at: the batch has its own.
 *
 * Written here, though the library has a decoder: that one dies in WebAssembly on malformed input, and takes every
 * later call of the process with it.
 *
 * Source: the LZ4 frame and block format descriptions of lz4/lz4, version 1.6.
 * @throws BatchTooLargeError; RangeError where the bytes are no LZ4 frames.
 */
export function lz4Decompress(bytes: Buffer, maxBytes: number): Buffer {
  const blocks = findBlocks(bytes)
  const size = blocks.reduce((sum, block) => sum + block.decodedSize, 0)
  if (size > maxBytes) throw new BatchTooLargeError(maxBytes)
  const output = Buffer.allocUnsafeSlow(size)
  let written = 0
  for (const { start, end, compressed, decodedSize } of blocks) {
    if (compressed) decodeBlock(bytes, start, end, output, written)
    else copyLiterals(bytes, start, output, written, decodedSize)
    written += decodedSize
  }
  return output
}

function findBlocks(bytes: Buffer): readonly Block[] {
  const blocks: Block[] = []
  for (let start = 0; start < bytes.length;) {
    const magic = uint32(bytes, start)
    if ((magic & ~0xf) >>> 0 === skippableMagic) start += 8 + uint32(bytes, start + 4)
    else if (magic === frameMagic) start = findBlocksOfFrame(bytes, start, blocks)
    else throw new RangeError('no LZ4 frame')
  }
  return blocks
}

/** Returns where the frame ends. */
function findBlocksOfFrame(bytes: Buffer, start: number, blocks: Block[]): number {
  const descriptor = bytes[start + 4] ?? 0
  const trailer = descriptor & flags.blockChecksum ? 4 : 0
  let position = start + 4 + headerSize(descriptor)
  for (let head = uint32(bytes, position); ; head = uint32(bytes, position)) {
    position += 4
    if (head === 0) break
    const compressed = head < 0x80000000
    const length = head & 0x7fffffff
    const end = position + length
    if (end > bytes.length) throw tooEarly()
    const decodedSize = compressed ? sizeOfBlock(bytes, position, end) : length
    blocks.push({ start: position, end, compressed, decodedSize })
    position = end + trailer
  }
  return position + (descriptor & flags.contentChecksum ? 4 : 0)
}

/** Flags, block size, what the flags add, header checksum. */
function headerSize(descriptor: number): number {
  if (descriptor >> 6 !== 1) throw new RangeError('an unknown version of LZ4 frames')
  if (descriptor & flags.dictionary) throw new RangeError('an LZ4 frame that needs a dictionary')
  return 3 + (descriptor & flags.contentSize ? 8 : 0)
}

/** Sums the literals and matches of a block's sequences. What it accepts lies within the block. */
function sizeOfBlock(bytes: Buffer, start: number, end: number): number {
  let size = 0
  let position = start
  while (position < end) {
    const token = bytes[position++]!
    let literals = token >> 4
    if (literals === 15) {
      for (let more = 255; more === 255 && position < end;) literals += more = bytes[position++]!
    }
    size += literals
    position += literals
    if (position === end) return size
    position += 2
    let match = token & 15
    if (match === 15) {
      for (let more = 255; more === 255 && position < end;) match += more = bytes[position++]!
    }
    size += match + 4
  }
  throw tooEarly()
}

/** `output` up to `start` is what linked blocks may refer back to. The block was walked by `sizeOfBlock` before. */
function decodeBlock(bytes: Buffer, from: number, end: number, output: Buffer, start: number): void {
  let position = from
  let written = start
  for (;;) {
    const token = bytes[position++]!
    let literals = token >> 4
    if (literals === 15) {
      for (let more = 255; more === 255;) literals += more = bytes[position++]!
    }
    copyLiterals(bytes, position, output, written, literals)
    position += literals
    written += literals
    if (position >= end) return
    const distance = bytes[position]! | (bytes[position + 1]! << 8)
    position += 2
    let match = token & 15
    if (match === 15) {
      for (let more = 255; more === 255;) match += more = bytes[position++]!
    }
    copyBackReference(output, written, distance, match + 4)
    written += match + 4
  }
}

function uint32(bytes: Buffer, position: number): number {
  if (position + 4 > bytes.length) throw tooEarly()
  return bytes.readUInt32LE(position)
}

function tooEarly(): RangeError {
  return new RangeError('an LZ4 frame ends too early')
}
