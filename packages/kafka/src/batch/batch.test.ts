import fc from 'fast-check'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { crc32c } from '../driver/codecs.ts'
import { BatchTooLargeError, CorruptBatchError, HeadersTooLargeError } from '../errors.ts'
import type { WireHeaders, WireRecord } from '../record/record.ts'
import type { Compression } from './batch.ts'
import { compressions } from './compression.ts'
import { decodeRecords, defaultLimits, openBatch, readBatchHeaders } from './decode.ts'
import { type BatchHeader, type DecodedRecord } from './decoded.ts'
import { batchOverheadBytes, encodeBatch, recordSizeUpperBound } from './encode.ts'
import { layout } from './layout.ts'

const identity = { producerId: 4_000_000_000n, epoch: 3, baseSequence: 17, transactional: true }

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const nullable = fc.option(bytes, { nil: null })
const headers: fc.Arbitrary<WireHeaders> = fc.array(fc.tuple(bytes, nullable), { minLength: 1, maxLength: 4 })
const record: fc.Arbitrary<WireRecord> = fc.record({
  key: nullable,
  value: nullable,
  headers: fc.option(headers, { nil: undefined }),
  timestampMs: fc.integer({ min: 0, max: 8_640_000_000_000 }),
})
const records = fc.array(record, { minLength: 1, maxLength: 10 })
const anyCompression = fc.constantFrom(...compressions)

function onlyHeader(batch: Buffer): BatchHeader {
  const [header, ...rest] = [...readBatchHeaders(batch)]
  expect(rest).toEqual([])
  return header!
}

function decodeAll(buffer: Buffer, maxDecodedBytes?: number): DecodedRecord[] {
  const options = maxDecodedBytes === undefined ? {} : { maxDecodedBytes }
  return [...readBatchHeaders(buffer)].flatMap((header) => decodeRecords(buffer, header, options))
}

/** With a checksum that fits what was changed. */
function sealed(batch: Buffer, change: (batch: Buffer) => unknown): Buffer {
  change(batch)
  batch.writeUInt32BE(crc32c(batch.subarray(layout.attributes)), layout.crc)
  return batch
}

/** A zigzag varint. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

function plain(values: readonly string[], timestampMs = 1_000): WireRecord[] {
  return values.map((value) => ({ key: null, value: Buffer.from(value), headers: undefined, timestampMs }))
}

describe('a batch', () => {
  test('gives back every record that was written, in each compression', () => {
    fc.assert(
      fc.property(records, anyCompression, (written, compression) => {
        const batch = encodeBatch(written, compression, identity)
        const read = decodeRecords(batch, onlyHeader(batch))
        expect(read).toEqual(written.map((record, offset) => ({ offset, ...record })))
      }),
      { numRuns: 200 },
    )
  })

  // Brokers do not look at the offsets of records in a batch without compression.
  test.each([
    ['beyond the batch', 2, 6],
    ['beyond the batch by most', 1, 126],
    ['before the batch', 0, 1],
    ['of the record before', 1, 0],
    ['before that of the record before', 2, 0],
  ])('ends before a record whose offset is %s', (_, index, zigzag) => {
    // Each of these records takes eight bytes, the fourth is the delta of its offset.
    const batch = sealed(encodeBatch(plain(['a', 'b', 'c']), 'none', null), (bytes) => {
      bytes[layout.records + index * 8 + 3] = zigzag
    })
    const cursor = openBatch(batch, onlyHeader(batch), defaultLimits)
    for (let i = 0; i < index; i++) expect(cursor.next().offset).toBe(i)
    expect(() => cursor.next()).toThrow(CorruptBatchError)
  })

  test('that ends before it begins is no batch', () => {
    const batch = sealed(encodeBatch(plain(['a']), 'none', null), (bytes) => {
      bytes.writeInt32BE(-2, layout.lastOffsetDelta)
    })
    expect(() => [...readBatchHeaders(batch)]).toThrow(CorruptBatchError)
  })

  test('says in its header who wrote it and what is in it', () => {
    const written = [...plain(['a'], 5_000), ...plain(['b'], 9_000), ...plain(['c'], 7_000)]
    const header = onlyHeader(encodeBatch(written, 'lz4', identity))
    expect(header).toMatchObject({
      baseOffset: 0,
      lastOffset: 2,
      compression: 'lz4',
      control: false,
      transactional: true,
      baseTimestampMs: 5_000,
      maxTimestampMs: 9_000,
      producerId: 4_000_000_000n,
      epoch: 3,
      baseSequence: 17,
      count: 3,
    })
    expect(onlyHeader(encodeBatch(written, 'none', null))).toMatchObject({
      producerId: -1n,
      epoch: -1,
      baseSequence: -1,
      transactional: false,
    })
  })

  test('keeps timestamps that lie a year apart', () => {
    const yearMs = 365 * 86_400_000
    const written = [...plain(['now'], 1_800_000_000_000), ...plain(['then'], 1_800_000_000_000 - yearMs)]
    const read = decodeAll(encodeBatch(written, 'none', null))
    expect(read.map((record) => record.timestampMs)).toEqual([1_800_000_000_000, 1_800_000_000_000 - yearMs])
  })

  test('is never larger than the upper bounds of its records', () => {
    fc.assert(
      fc.property(records, (written) => {
        let bound: number = batchOverheadBytes
        for (const record of written) bound += recordSizeUpperBound(record)
        expect(encodeBatch(written, 'none', null).length).toBeLessThanOrEqual(bound)
      }),
    )
  })

  test('shares no memory with the batch that is encoded after it', () => {
    const records = plain(['first'])
    const first = encodeBatch(records, 'none', null)
    const copy = Buffer.from(first)
    encodeBatch(plain(['second']), 'none', null)
    expect(first).toEqual(copy)
    // Nor does a small batch keep more alive than its own bytes.
    const bound = batchOverheadBytes + recordSizeUpperBound(records[0]!)
    expect(first.buffer.byteLength).toBeLessThanOrEqual(bound)
  })
})

describe('compression', () => {
  /** Noise, runs, text and repetitions from far back: every kind of token, over many blocks. */
  function mixture(bytes: number): Buffer {
    const parts: Buffer[] = []
    let seed = 1
    const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
    for (let size = 0; size < bytes; size += parts.at(-1)!.length) {
      const kind = next(4)
      const length = next(5_000)
      if (kind === 0) parts.push(Buffer.from(Array.from({ length }, () => next(256))))
      else if (kind === 1) parts.push(Buffer.alloc(length, next(256)))
      else if (kind === 2) parts.push(Buffer.from(`{"id":${next(1_000_000)},"name":"customer ${next(100)}"}`.repeat(3)))
      else parts.push(parts[next(Math.max(1, parts.length))] ?? Buffer.from('first'))
    }
    return Buffer.concat(parts)
  }

  test.each(compressions)('with %s gives back what is larger than a block of it', (compression) => {
    const value = mixture(5_000_000)
    const batch = encodeBatch([{ key: null, value, headers: undefined, timestampMs: 0 }], compression, null)
    expect(decodeAll(batch)[0]?.value?.equals(value)).toBe(true)
  })
})

describe('damage', () => {
  const clean = (run: () => unknown): void => {
    try {
      run()
    } catch (error) {
      if (!(error instanceof CorruptBatchError || error instanceof BatchTooLargeError)) throw error
    }
  }

  test('a buffer cut anywhere gives the whole batches before the cut and stops', () => {
    fc.assert(
      fc.property(
        fc.array(records, { minLength: 1, maxLength: 4 }),
        anyCompression,
        fc.nat(),
        (sets, compression, at) => {
          const batches = sets.map((set) => encodeBatch(set, compression, null))
          const whole = Buffer.concat(batches)
          const cut = whole.subarray(0, at % (whole.length + 1))
          let expected = 0
          for (let size = 0; expected < batches.length; expected++) {
            size += batches[expected]!.length
            if (size > cut.length) break
          }
          expect([...readBatchHeaders(cut)]).toHaveLength(expected)
        },
      ),
    )
  })

  test('a flipped bit in what the checksum covers is always found', () => {
    fc.assert(
      fc.property(records, anyCompression, fc.nat(), (written, compression, at) => {
        const batch = encodeBatch(written, compression, identity)
        const covered = (batch.length - layout.attributes) * 8
        const bit = layout.attributes * 8 + (at % covered)
        batch[bit >> 3]! ^= 1 << (bit & 7)
        expect(() => decodeAll(batch)).toThrow(CorruptBatchError)
      }),
      { numRuns: 300 },
    )
  })

  test('a flipped bit anywhere is an error or a clean stop, never a hang', () => {
    fc.assert(
      fc.property(records, anyCompression, fc.nat(), (written, compression, at) => {
        const batch = encodeBatch(written, compression, identity)
        const bit = at % (batch.length * 8)
        batch[bit >> 3]! ^= 1 << (bit & 7)
        clean(() => decodeAll(batch))
      }),
      { numRuns: 300 },
    )
  })

  test('bytes of any kind are an error or a clean stop', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (array) => clean(() => decodeAll(Buffer.from(array)))))
  })

  test('records that lie behind a fitting checksum are found too', async () => {
    const { crc32c } = await import('../driver/codecs.ts')
    fc.assert(
      fc.property(records, anyCompression, fc.nat(), fc.nat(255), (written, compression, at, byte) => {
        const batch = encodeBatch(written, compression, null)
        const position = layout.count + (at % (batch.length - layout.count))
        batch[position] = byte
        batch.writeUInt32BE(crc32c(batch.subarray(layout.attributes)), layout.crc)
        clean(() => decodeAll(batch, 1_000_000))
      }),
      { numRuns: 500 },
    )
  })

  test('a format that nobody knows is refused by name', () => {
    const batch = encodeBatch(plain(['a']), 'none', null)
    batch[layout.magic] = 3
    expect(() => decodeAll(batch)).toThrow(/its format is 3, not 0, 1 or 2/)
  })

  test('a record with too many headers is refused alone, and before they become objects', () => {
    const name = Buffer.from('h')
    const headers = Array.from({ length: 3 }, () => [name, null] as const)
    const [first, last] = [plain(['first'])[0]!, plain(['last'])[0]!]
    const batch = encodeBatch([first, { ...first, headers }, last], 'zstd', null)
    for (const bound of [{ maxHeaders: 2 }, { maxHeaderBytes: 8 }]) {
      const cursor = openBatch(batch, onlyHeader(batch), { ...defaultLimits, ...bound })
      expect(cursor.next().value?.toString()).toBe('first')
      expect(() => cursor.next()).toThrow(HeadersTooLargeError)
      expect(cursor.next().value?.toString()).toBe('last')
      expect(cursor.left).toBe(0)
    }
  })

  test('of a huge number of headers is found without reading them', () => {
    // 33,000,000 headers of no name and no value, as one zstd record of 6 kB.
    const record = { key: null, value: null, headers: undefined, timestampMs: 0 }
    const [start, count] = [Buffer.from([0, 0, 0, 1, 1]), varint(33_000_000)]
    const body = Buffer.concat([start, count, Buffer.alloc(66_000_000)])
    const bytes = zstdCompressSync(Buffer.concat([varint(body.length), body]))
    const batch = Buffer.concat([encodeBatch([record], 'zstd', null).subarray(0, layout.records), bytes])
    batch.writeInt32BE(batch.length - 12, layout.length)
    batch.writeUInt32BE(crc32c(batch.subarray(layout.attributes)), layout.crc)
    expect(batch.length).toBeLessThan(10_000)
    expect(() => decodeAll(batch)).toThrow(/33000000 headers, more than the 10000 of maxHeaders/)
  })
})

describe('a bomb', () => {
  const compressed: readonly Compression[] = ['gzip', 'snappy', 'lz4', 'zstd']

  test.each(compressed)('in %s is refused before it takes the memory', (compression) => {
    const value = Buffer.alloc(8_000_000)
    const batch = encodeBatch([{ key: null, value, headers: undefined, timestampMs: 0 }], compression, null)
    expect(batch.length).toBeLessThan(value.length / 10)
    expect(() => decodeAll(batch, 1_000_000)).toThrow(BatchTooLargeError)
    expect(decodeAll(batch, 9_000_000)[0]?.value?.length).toBe(value.length)
  })

  test('in many frames of LZ4 is counted as a whole', async () => {
    const { lz4Compress } = await import('../driver/codecs.ts')
    const { decompress } = await import('./compression.ts')
    const frame = lz4Compress(Buffer.alloc(600_000))
    const frames = Buffer.concat([frame, frame])
    expect(() => decompress('lz4', frames, 1_000_000)).toThrow(BatchTooLargeError)
    expect(decompress('lz4', frames, 2_000_000).length).toBe(1_200_000)
  })

  test('a compressor that says less than it gives is refused', async () => {
    const { decompress } = await import('./compression.ts')
    const text = Buffer.from('sluice '.repeat(10_000))
    expect(() => decompress('gzip', gzipSync(text), text.length - 1)).toThrow(BatchTooLargeError)
    expect(() => decompress('zstd', zstdCompressSync(text), text.length - 1)).toThrow(BatchTooLargeError)
    expect(decompress('zstd', zstdCompressSync(text), text.length)).toEqual(text)
  })
})
