import { freeMemory, hasOwnMemory } from '../free-memory.ts'
import { TimeSlices } from './time-slices.ts'

/** Chunks are 64 KiB at most. Fewer of them are collected soon enough: to free one takes 2 us or so. */
const minFreedChunks = 4

const hexDigits = Buffer.from('0123456789abcdef')
/** A uuid is put together here: a text made of pieces would be thousands of small objects in an answer. */
const uuidText = Buffer.from('00000000-0000-0000-0000-000000000000')
/** Where the digits of each byte stand in it. */
const uuidPlaces = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

/** Reads Kafka's primitive types from an answer as it came off the socket: in chunks, in one pass. */
export class ChunkReader {
  readonly #chunks: readonly Buffer[]
  #next = 1
  #chunk: Buffer
  #position = 0
  /** Bytes in the chunks behind the current one. */
  #behind = 0
  readonly #scratch = Buffer.alloc(16)

  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks
    this.#chunk = chunks[0] ?? Buffer.alloc(0)
    for (let i = 1; i < chunks.length; i++) this.#behind += chunks[i]!.length
  }

  /** Bytes that have not been read yet. */
  get left(): number {
    return this.#chunk.length - this.#position + this.#behind
  }

  int8(): number {
    return (this.#byte() << 24) >> 24
  }

  int16(): number {
    const start = this.#within(2)
    return start < 0 ? this.#take(2).readInt16BE() : this.#chunk.readInt16BE(start)
  }

  int32(): number {
    const start = this.#within(4)
    return start < 0 ? this.#take(4).readInt32BE() : this.#chunk.readInt32BE(start)
  }

  bigInt64(): bigint {
    return this.#take(8).readBigInt64BE()
  }

  /** As a Number: exact below 2^53. */
  int64(): number {
    const start = this.#within(8)
    const bytes = start < 0 ? this.#take(8) : this.#chunk
    const at = Math.max(0, start)
    return bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4)
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a varint is longer than five bytes')
  }

  uuid(): string {
    const start = this.#within(16)
    const bytes = start < 0 ? this.#take(16) : this.#chunk
    const at = Math.max(0, start)
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + i]!
      const place = uuidPlaces[i]!
      uuidText[place] = hexDigits[byte >> 4]!
      uuidText[place + 1] = hexDigits[byte & 15]!
    }
    return uuidText.toString('latin1')
  }

  /** A compact nullable string. */
  string(): string | null {
    const length = this.unsignedVarint() - 1
    if (length < 0) return null
    const start = this.#position
    if (start + length > this.#chunk.length) return this.bytes(length).toString('utf8')
    this.#position = start + length
    return this.#chunk.toString('utf8', start, start + length)
  }

  /** A compact string; null is read as empty. */
  text(): string {
    return this.string() ?? ''
  }

  /** A nullable string of the versions before compact ones. */
  plainString(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.bytes(length).toString('utf8')
  }

  /** A compact array; null is read as empty. */
  array<T>(read: () => T): T[] {
    return this.#items(this.unsignedVarint() - 1, read)
  }

  /** An array of the versions before compact ones; null is read as empty. */
  plainArray<T>(read: () => T): T[] {
    return this.#items(this.int32(), read)
  }

  /** As `array`, in slices: other work gets its turn in between. Nothing else may read meanwhile. */
  async longArray<T>(read: () => T): Promise<T[]> {
    const length = this.unsignedVarint() - 1
    if (length > 0) this.#require(length)
    const items: T[] = []
    const slices = new TimeSlices()
    for (let i = 0; i < length; i++) {
      items.push(read())
      if (slices.isOver()) await slices.next()
    }
    return items
  }

  /** The tagged fields at the end of a structure: `known` reads those it knows, the rest is skipped. */
  taggedFields(known: Readonly<Record<number, () => void>> = {}): void {
    for (let left = this.unsignedVarint(); left > 0; left--) {
      const tag = this.unsignedVarint()
      const length = this.unsignedVarint()
      const read = known[tag]
      if (read) read()
      else this.skip(length)
    }
  }

  /** A copy of the next bytes in memory of its own, which pins neither the answer nor a pool. */
  bytes(length: number): Buffer {
    this.#require(length)
    const copy = Buffer.allocUnsafeSlow(length)
    this.#copyInto(copy, length)
    return copy
  }

  skip(length: number): void {
    this.#require(length)
    let left = length
    while (left > 0) {
      const step = Math.min(left, this.#available())
      this.#position += step
      left -= step
    }
  }

  /**
   * Gives back the memory of the chunks that hold nothing but this answer. To be called when nothing is to be read any
   * more, and when the library has let go of the answer: it does so after the parser has returned.
   */
  free(): void {
    if (this.#chunks.length < minFreedChunks) return
    for (const chunk of this.#chunks) if (hasOwnMemory(chunk)) freeMemory(chunk)
  }

  /** Each item takes a byte at least. */
  #items<T>(length: number, read: () => T): T[] {
    if (length > 0) this.#require(length)
    const items: T[] = []
    for (let i = 0; i < length; i++) items.push(read())
    return items
  }

  /** What an answer claims to hold is looked at before memory is taken for it. */
  #require(length: number): void {
    if (length > this.left) throw new RangeError('the answer ends too early')
  }

  #byte(): number {
    this.#available()
    return this.#chunk[this.#position++]!
  }

  /** Where the next bytes start in the current chunk, if all of them are in it; else -1. A view of each is too slow. */
  #within(length: number): number {
    const start = this.#position
    if (start + length > this.#chunk.length) return -1
    this.#position = start + length
    return start
  }

  /** The next bytes as a view that is only good until the next read. */
  #take(length: number): Buffer {
    const position = this.#position
    if (position + length <= this.#chunk.length) {
      this.#position += length
      return this.#chunk.subarray(position, position + length)
    }
    this.#copyInto(this.#scratch, length)
    return this.#scratch
  }

  #copyInto(target: Buffer, length: number): void {
    let written = 0
    while (written < length) {
      const step = Math.min(length - written, this.#available())
      this.#chunk.copy(target, written, this.#position, this.#position + step)
      this.#position += step
      written += step
    }
  }

  /** How many bytes are left in the current chunk, at least one: moves on to the next chunk at its end. */
  #available(): number {
    while (this.#position >= this.#chunk.length) {
      const chunk = this.#chunks[this.#next++]
      if (!chunk) throw new RangeError('the answer ends too early')
      this.#chunk = chunk
      this.#position = 0
      this.#behind -= chunk.length
    }
    return this.#chunk.length - this.#position
  }
}
