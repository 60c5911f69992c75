import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { lz4Compress, snappyCompressBlock } from '../driver/codecs.ts'
import { BatchTooLargeError } from '../errors.ts'
import { decompress } from './compression.ts'
import { snappyCompress } from './snappy-stream.ts'

afterEach(() => void vi.restoreAllMocks())

const [a, b] = [Buffer.from('first '.repeat(50)), Buffer.from('second '.repeat(50))]
const both = Buffer.concat([a, b])
const nothing = Buffer.alloc(0)
const xerial = snappyCompress(nothing)

/** A frame that is to be passed over, of zstd and of LZ4 alike. */
function skippable(text: string): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(0x184d2a53)
  head.writeUInt32LE(text.length, 4)
  return Buffer.concat([head, Buffer.from(text)])
}

function xerialBlock(block: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(block.length)
  return Buffer.concat([length, block])
}

const zstd = zstdCompressSync
const sequences = [
  ['gzip', 'two members', [gzipSync(a), gzipSync(b)]],
  ['gzip', 'empty members', [gzipSync(nothing), gzipSync(a), gzipSync(nothing), gzipSync(b), gzipSync(nothing)]],
  ['lz4', 'two frames', [lz4Compress(a), lz4Compress(b)]],
  ['lz4', 'frames to pass over', [skippable('x'), lz4Compress(a), skippable(''), lz4Compress(b), skippable('yy')]],
  ['zstd', 'two frames', [zstd(a), zstd(b)]],
  ['zstd', 'an empty frame', [zstd(nothing), zstd(a), zstd(nothing), zstd(b)]],
  ['zstd', 'frames to pass over', [skippable('before'), zstd(a), skippable(''), zstd(b), skippable('behind')]],
  ['snappy', 'one raw block', [snappyCompressBlock(both)]],
  ['snappy', 'framed blocks', [xerial, xerialBlock(snappyCompressBlock(a)), xerialBlock(snappyCompressBlock(b))]],
  ['snappy', 'an empty block', [xerial, ...[a, nothing, b].map((one) => xerialBlock(snappyCompressBlock(one)))]],
  ['snappy', 'two streams', [snappyCompress(a), snappyCompress(b)]],
] as const

describe('a compressed text is a sequence', () => {
  test.each(sequences)('%s: %s', (compression, _, parts) => {
    const bytes = Buffer.concat(parts)
    expect(decompress(compression, bytes, both.length).equals(both)).toBe(true)
    expect(() => decompress(compression, bytes, both.length - 1)).toThrow(BatchTooLargeError)
  })

  test('zstd: frames of every form of header and block', () => {
    const runs = Buffer.alloc(1_000_000, 7)
    const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 2_654_435_761) >>> 13))
    for (const one of [nothing, Buffer.from('x'), Buffer.alloc(300), runs, noise]) {
      expect(decompress('zstd', Buffer.concat([zstd(one), zstd(a)]), 2_000_000).equals(Buffer.concat([one, a]))).toBe(
        true,
      )
    }
  })

  test.each([
    ['behind the last frame', Buffer.concat([zstd(a), Buffer.from('no frame')])],
    ['in a frame that is cut off', zstd(a).subarray(0, -5)],
    ['in a header alone', zstd(a).subarray(0, 5)],
    ['in a frame to pass over', skippable('too long').subarray(0, -1)],
    ['of 4,097 frames', Buffer.concat(Array.from({ length: 4_097 }, () => zstd(nothing)))],
  ])('zstd: %s are refused', (_, bytes) => {
    expect(() => decompress('zstd', bytes, 1_000)).toThrow(RangeError)
  })
})

describe('bytes that claim to hold far more than they can', () => {
  const snappyOf128MiB = Buffer.from([0x80, 0x80, 0x80, 0x40, 0, 0x41])
  const gzipOf128MiB = Buffer.from(gzipSync('x'))
  gzipOf128MiB.writeUInt32LE(2 ** 27, gzipOf128MiB.length - 4)

  test.each([
    ['snappy', snappyOf128MiB],
    ['gzip', gzipOf128MiB],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x08, 1 | (1 << 3), 0, 0, 0x41])],
  ] as const)('(%s) get no memory for it', (compression, bytes) => {
    const taken = [vi.spyOn(Buffer, 'allocUnsafe'), vi.spyOn(Buffer, 'allocUnsafeSlow')]
    expect(() => decompress(compression, bytes, 2 ** 27)).toThrow(/size|length check/)
    const sizes = taken.flatMap((spy) => spy.mock.calls.map(([size]) => size))
    expect(Math.max(0, ...sizes)).toBeLessThan(100_000)
  })

  /** Of this window (2 to the power of it), with blocks of nothing before one of a byte. */
  const frame = (windowLog: number, emptyBlocks: number): Buffer => {
    const empty = Buffer.from([(2 << 1) | (2 << 3), 0, 0, 0, 0])
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3])
    return Buffer.concat([head, ...Array<Buffer>(emptyBlocks).fill(empty), Buffer.from([1 | (1 << 3), 0, 0, 0x41])])
  }

  test('zstd: frames of a byte and a window of 128 MiB take no seconds', () => {
    const startedMs = performance.now()
    const bytes = Buffer.concat(Array<Buffer>(4_096).fill(frame(27, 0)))
    expect(decompress('zstd', bytes, 2 ** 27).equals(Buffer.alloc(4_096, 'A'))).toBe(true)
    expect(performance.now() - startedMs).toBeLessThan(4_000)
  })

  test('zstd: frames of blocks that hold nothing are refused where they are many', () => {
    expect(decompress('zstd', frame(27, 1_000), 2 ** 27).toString()).toBe('A')
    const many = Buffer.concat(Array<Buffer>(100).fill(frame(20, 1_000)))
    expect(() => decompress('zstd', many, 2 ** 27)).toThrow('more memory than they can fill')
  })
})
