import { Writer } from '@platformatic/kafka'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChunkReader } from './chunk-reader.ts'

/** The same bytes as they may come off a socket. */
function inChunks(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let position = 0
  for (const size of sizes) {
    chunks.push(bytes.subarray(position, position + size))
    position += size
  }
  return [...chunks, bytes.subarray(position)]
}

const sizes = fc.array(fc.nat(7), { maxLength: 40 })
const uuid = '00ff1234-5678-4abc-8def-0123456789ab'

describe('a chunk reader', () => {
  test('reads the same values however the bytes are cut', () => {
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    const int64 = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
    fc.assert(
      fc.property(
        fc.integer({ min: -128, max: 127 }),
        int32,
        int64,
        fc.string(),
        sizes,
        (int8, int, long, text, cuts) => {
          const written = Writer.create()
            .appendInt8(int8)
            .appendInt16(int >> 16)
            .appendInt32(int)
            .appendInt64(BigInt(long))
            .appendInt64(BigInt(long))
            .appendUnsignedVarInt(Math.abs(int >> 1))
            .appendUUID(uuid)
            .appendString(text)
            .appendString(null)
            .appendArray([1, 2], (w, n) => w.appendInt32(n), true, false)
          const reader = new ChunkReader(inChunks(written.buffer, cuts))
          expect(reader.int8()).toBe(int8)
          expect(reader.int16()).toBe(int >> 16)
          expect(reader.int32()).toBe(int)
          expect(reader.int64()).toBe(long)
          expect(reader.bigInt64()).toBe(BigInt(long))
          expect(reader.unsignedVarint()).toBe(Math.abs(int >> 1))
          expect(reader.uuid()).toBe(uuid)
          expect(reader.string()).toBe(Buffer.from(text).toString())
          expect(reader.string()).toBeNull()
          expect(reader.array(() => reader.int32())).toEqual([1, 2])
          expect(() => reader.int8()).toThrow(/ends too early/)
        },
      ),
    )
  })

  test('copies bytes into memory of their own', () => {
    const answer = Buffer.from('some bytes of an answer')
    const copy = new ChunkReader([answer]).bytes(4)
    answer.fill(0)
    expect(copy.toString()).toBe('some')
    expect(copy.buffer.byteLength).toBe(4)
  })

  test('reads the tagged fields it knows and skips the others', () => {
    const bytes = Buffer.from([2, 0, 4, 0, 0, 0, 7, 9, 2, 1, 1, 42])
    const reader = new ChunkReader([bytes])
    let known = 0
    reader.taggedFields({ 0: () => (known = reader.int32()) })
    expect(known).toBe(7)
    expect(reader.int8()).toBe(42)
  })

  test('refuses a varint that does not end and an answer that is cut', () => {
    expect(() => new ChunkReader([Buffer.alloc(9, 0xff)]).unsignedVarint()).toThrow(RangeError)
    expect(() => new ChunkReader([Buffer.alloc(3)]).int32()).toThrow(/ends too early/)
    expect(() => new ChunkReader([]).int8()).toThrow(/ends too early/)
  })

  test('reads a long array in slices, between which other work has its turn', async () => {
    const numbers = Array.from({ length: 200 }, (_, index) => index)
    const { buffer } = Writer.create().appendArray(numbers, (w, n) => w.appendInt32(n), true, false)
    const reader = new ChunkReader(inChunks(buffer, [10, 100]))
    let turns = 0
    let isDone = false
    const turn = (): void => {
      turns++
      if (!isDone) setImmediate(turn)
    }
    setImmediate(turn)
    const read = await reader.longArray(() => {
      const untilMs = performance.now() + 0.5
      while (performance.now() < untilMs);
      return reader.int32()
    })
    isDone = true
    expect(read).toEqual(numbers)
    // 100 ms of work, in slices of about 10 ms; all in one would be none.
    expect(turns).toBeGreaterThanOrEqual(3)
  })

  test('rejects a long array that ends too early', async () => {
    const { buffer } = Writer.create().appendUnsignedVarInt(1_000_000).appendInt32(7)
    const reader = new ChunkReader([buffer])
    await expect(reader.longArray(() => reader.int32())).rejects.toThrow(/ends too early/)
  })

  test('gives back the memory of chunks that hold nothing else', () => {
    const shared = Buffer.allocUnsafeSlow(16).fill(1)
    const whole = Array.from({ length: 20 }, () => Buffer.allocUnsafeSlow(8).fill(2))
    const reader = new ChunkReader([shared.subarray(8), ...whole, shared.subarray(0, 8)])
    const copy = reader.bytes(8 * 22)
    reader.free()
    expect(whole.every(({ length }) => length === 0)).toBe(true)
    expect(shared).toEqual(Buffer.alloc(16, 1))
    expect([copy[0], copy[8], copy[175]]).toEqual([1, 2, 1])
  })
})
