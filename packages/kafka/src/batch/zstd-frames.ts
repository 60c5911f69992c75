import { zstdDecompressSync } from 'node:zlib'
import { BatchTooLargeError } from '../errors.ts'
import { chunkSize } from './chunk-size.ts'

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50
/** Of the frame's descriptor. */
const flags = { singleSegment: 0x20, checksum: 0x04, dictionary: 0x03 }
const dictionaryBytes = [0, 1, 2, 4]
const contentSizeBytes = [0, 2, 4, 8]
const runLengthBlock = 1
const compressedBlock = 2
const reservedBlock = 3
/** No block decompresses to more. */
const largestBlock = 131_072

/** Each frame costs a call into zlib. A client that flushes every 16 KiB stays below this for 64 MiB. */
const mostFrames = 4_096

/** What all frames of a batch may ask for: each call takes memory for all that its frame may decompress to. */
const mostMemory = mostFrames * largestBlock

/** Where the window stands in a frame: behind its magic and its descriptor. */
const windowAt = 5
/** A window is 2 to the power of this and of the number in its upper five bits. */
const smallestWindowLog = 10

interface Frame {
  readonly bytes: Buffer
  /** What it says to decompress to; 0: it says nothing. */
  readonly size: number
  /** What it can decompress to at most. */
  readonly largest: number
}

/**
 * Decompresses a sequence of zstd frames; skippable ones are passed over. zlib's own function ends behind the first.
 * Source: RFC 8878, 3.1.
 * @throws BatchTooLargeError; RangeError where the bytes are no zstd frames; what zlib says of a damaged one
 */
export function zstdDecompress(bytes: Buffer, maxBytes: number): Buffer {
  const frames = findFrames(bytes)
  const memory = frames.reduce((sum, { largest }) => sum + Math.min(largest, maxBytes), 0)
  if (memory > mostMemory) throw new RangeError('zstd frames that ask for more memory than they can fill')
  const parts: Buffer[] = []
  let size = 0
  for (const frame of frames) {
    const part = decompressFrame(frame, maxBytes - size, maxBytes)
    size += part.length
    parts.push(part)
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, size)
}

function decompressFrame({ bytes, size, largest }: Frame, left: number, maxBytes: number): Buffer {
  // Before any memory is taken. A frame that lies about its size is refused as damaged.
  if (size > left) throw new BatchTooLargeError(maxBytes)
  let part: Buffer
  try {
    // Zero would be refused; an empty frame may still follow.
    const maxOutputLength = Math.max(1, left)
    part = zstdDecompressSync(bytes, { maxOutputLength, chunkSize: chunkSize(Math.min(largest, left)) })
  } catch (error) {
    const isTooLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    throw isTooLarge ? new BatchTooLargeError(maxBytes, error) : error
  }
  if (part.length > left) throw new BatchTooLargeError(maxBytes)
  return part
}

/** Without the skippable ones. */
function findFrames(bytes: Buffer): readonly Frame[] {
  const frames: Frame[] = []
  for (let start = 0; start < bytes.length;) {
    const magic = uint32(bytes, start)
    if ((magic & ~0xf) >>> 0 === skippableMagic) {
      start += 8 + uint32(bytes, start + 4)
      if (start > bytes.length) throw tooEarly()
    } else if (magic === frameMagic) {
      const frame = frameAt(bytes, start)
      if (frames.length === mostFrames) throw new RangeError(`more than ${mostFrames} zstd frames`)
      frames.push(frame)
      start += frame.bytes.length
    } else throw new RangeError('no zstd frame')
  }
  return frames
}

/** Walks the blocks of a frame by their sizes. */
function frameAt(bytes: Buffer, start: number): Frame {
  const descriptor = bytes[start + 4] ?? 0
  let position = start + 5 + headerRest(descriptor)
  let largest = 0
  for (let isLast = false; !isLast;) {
    if (position + 3 > bytes.length) throw tooEarly()
    const head = bytes.readUIntLE(position, 3)
    isLast = (head & 1) !== 0
    const kind = (head >> 1) & 3
    if (kind === reservedBlock) throw new RangeError('a zstd block of an unknown kind')
    position += 3 + (kind === runLengthBlock ? 1 : head >> 3)
    largest += kind === compressedBlock ? largestBlock : head >> 3
  }
  const end = position + (descriptor & flags.checksum ? 4 : 0)
  if (end > bytes.length) throw tooEarly()
  const size = contentSize(bytes, start + 5, descriptor)
  if (size > largest) throw new RangeError('a zstd frame that is not of the size that it says')
  return { bytes: withFittingWindow(bytes.subarray(start, end), descriptor, largest), size, largest }
}

/**
 * Each frame is given memory for the window that it says, up to 128 MiB, though it may hold one byte. A window that is
 * larger than all that the frame can hold is made smaller, in a copy: nothing refers back beyond the beginning.
 */
function withFittingWindow(frame: Buffer, descriptor: number, largest: number): Buffer {
  if (isSingle(descriptor)) return frame
  const exponent = frame[windowAt]! >> 3
  const enough = Math.max(0, Math.ceil(Math.log2(Math.max(largest, largestBlock))) - smallestWindowLog)
  if (exponent <= enough) return frame
  const copy = Buffer.from(frame)
  copy[windowAt] = enough << 3
  return copy
}

/** What of the frame's header follows its descriptor: window, dictionary, size of the content. */
function headerRest(descriptor: number): number {
  return beforeContentSize(descriptor) + contentSizeLength(descriptor)
}

function beforeContentSize(descriptor: number): number {
  return (isSingle(descriptor) ? 0 : 1) + dictionaryBytes[descriptor & flags.dictionary]!
}

function contentSizeLength(descriptor: number): number {
  const length = contentSizeBytes[descriptor >> 6]!
  return length === 0 && isSingle(descriptor) ? 1 : length
}

const isSingle = (descriptor: number): boolean => (descriptor & flags.singleSegment) !== 0

function contentSize(bytes: Buffer, at: number, descriptor: number): number {
  const length = contentSizeLength(descriptor)
  const start = at + beforeContentSize(descriptor)
  if (length === 0) return 0
  if (length === 8) return bytes.readUInt32LE(start + 4) * 2 ** 32 + bytes.readUInt32LE(start)
  // Two bytes count from 256 on.
  return bytes.readUIntLE(start, length) + (length === 2 ? 256 : 0)
}

function uint32(bytes: Buffer, position: number): number {
  if (position + 4 > bytes.length) throw tooEarly()
  return bytes.readUInt32LE(position)
}

function tooEarly(): RangeError {
  return new RangeError('a zstd frame ends too early')
}
