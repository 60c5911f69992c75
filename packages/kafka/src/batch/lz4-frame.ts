const frameMagic = 0x184d2204
const skippableMagic = 0x184d2a50

/** What the descriptor's flags add to a frame. */
const flags = { blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 0x01 }

/** A frame within its bytes, and its exact size once decompressed. */
export interface Lz4Frame {
  readonly start: number
  readonly end: number
  readonly decodedSize: number
}

/**
 * Finds the LZ4 frames in some bytes and their exact sizes once decompressed, by walking their tokens without writing
 * a byte: this bounds the memory before any is taken, and refuses what is malformed. Skippable frames are left out.
 * Source: the LZ4 frame and block format descriptions of lz4/lz4, version 1.6.
 * @throws RangeError where the bytes are no LZ4 frames.
 */
export function lz4Frames(bytes: Buffer): readonly Lz4Frame[] {
  const frames: Lz4Frame[] = []
  for (let start = 0; start < bytes.length;) {
    const magic = uint32(bytes, start)
    if ((magic & ~0xf) >>> 0 === skippableMagic) {
      start += 8 + uint32(bytes, start + 4)
      continue
    }
    if (magic !== frameMagic) throw new RangeError('no LZ4 frame')
    const frame = readFrame(bytes, start)
    frames.push(frame)
    start = frame.end
  }
  return frames
}

function readFrame(bytes: Buffer, start: number): Lz4Frame {
  const descriptor = byteAt(bytes, start + 4)
  const trailer = descriptor & flags.blockChecksum ? 4 : 0
  let decodedSize = 0
  let position = start + 4 + headerSize(descriptor)
  for (let head = uint32(bytes, position); ; head = uint32(bytes, position)) {
    position += 4
    if (head === 0) break
    const length = head & 0x7fffffff
    if (position + length > bytes.length) throw new RangeError('an LZ4 block ends too early')
    decodedSize += head >= 0x80000000 ? length : blockSize(bytes, position, position + length)
    position += length + trailer
  }
  const end = position + (descriptor & flags.contentChecksum ? 4 : 0)
  if (end > bytes.length) throw new RangeError('an LZ4 frame ends too early')
  return { start, end, decodedSize }
}

/** Flags, block size, what the flags add, header checksum. */
function headerSize(descriptor: number): number {
  if (descriptor >> 6 !== 1) throw new RangeError('an unknown version of LZ4 frames')
  return 3 + (descriptor & flags.contentSize ? 8 : 0) + (descriptor & flags.dictionary ? 4 : 0)
}

/** Sums literals and matches of the sequences of one block. */
function blockSize(bytes: Buffer, start: number, end: number): number {
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
    if (position >= end) break
    position += 2
    let match = token & 15
    if (match === 15) {
      for (let more = 255; more === 255 && position < end;) match += more = bytes[position++]!
    }
    size += match + 4
  }
  if (position !== end) throw new RangeError('an LZ4 block ends too early')
  return size
}

function uint32(bytes: Buffer, position: number): number {
  if (position + 4 > bytes.length) throw new RangeError('an LZ4 frame ends too early')
  return bytes.readUInt32LE(position)
}

function byteAt(bytes: Buffer, position: number): number {
  const byte = bytes[position]
  if (byte === undefined) throw new RangeError('an LZ4 frame ends too early')
  return byte
}
