import { crc32, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BatchTooLargeError, CorruptBatchError } from '../errors.ts'
import { committedBatches } from './committed.ts'
import { decodeRecords, readBatchHeaders } from './decode.ts'
import { type DecodedRecord } from './decoded.ts'
import { oldLogs } from './testing/old-logs.ts'

const logs = Object.entries(oldLogs).map(([name, [hex, records]]) => ({ name, log: Buffer.from(hex, 'hex'), records }))

function readAll(log: Buffer, maxDecodedBytes = 1_000_000): DecodedRecord[] {
  return [...readBatchHeaders(log)].flatMap((header) => decodeRecords(log, header, { maxDecodedBytes }))
}

const asText = (records: readonly DecodedRecord[]): string =>
  records
    .map(
      ({ offset, timestampMs, key, value }) =>
        `${offset}|${timestampMs}|${String(key)}|${String(value)}`.replaceAll(' ', '_') + ';',
    )
    .join('')

/** A message of format 1, with the checksum that it should have. */
function message(attributes: number, value: Buffer | null, offset = 0): Buffer {
  const head = Buffer.alloc(34)
  head.writeBigInt64BE(BigInt(offset))
  head.writeInt32BE(22 + (value?.length ?? 0), 8)
  head.writeUInt8(1, 16)
  head.writeUInt8(attributes, 17)
  head.writeInt32BE(-1, 26)
  head.writeInt32BE(value?.length ?? -1, 30)
  const bytes = Buffer.concat([head, value ?? Buffer.alloc(0)])
  bytes.writeUInt32BE(crc32(bytes.subarray(16)), 12)
  return bytes
}

describe('a log in an old message format', () => {
  test.each(logs)('($name) is read as Java reads it', ({ log, records }) => {
    expect(asText(readAll(log))).toBe(records)
  })

  test.each(logs)('($name) of which the end is cut off gives what is whole', ({ log }) => {
    const whole = [...readBatchHeaders(log)]
    for (let length = 0; length < log.length; length++) {
      const expected = whole.filter(({ end }) => end <= length)
      const { batches, damage } = committedBatches(log.subarray(0, length), [], 0)
      expect(damage).toBeUndefined()
      expect(batches.map(({ lastOffset }) => lastOffset)).toEqual(expected.map(({ lastOffset }) => lastOffset))
    }
  })

  test.each(logs)('($name) with a flipped bit in a message is never taken for whole', ({ log }) => {
    const headers = [...readBatchHeaders(log)].filter(({ magic }) => magic < 2)
    fc.assert(
      fc.property(fc.constantFrom(...headers), fc.nat(), ({ start, end }, at) => {
        const spoilt = Buffer.from(log)
        // Behind the checksum: what stands before it is not covered.
        const bit = (start + 17) * 8 + (at % ((end - start - 17) * 8))
        spoilt[bit >> 3]! ^= 1 << (bit & 7)
        expect(() => readAll(spoilt)).toThrow(CorruptBatchError)
      }),
    )
  })

  test('of which a wrapper holds messages before the fetch offset is given whole: who reads leaves them out', () => {
    const log = logs.find(({ name }) => name === 'v1-compacted')!.log
    expect(committedBatches(log, [], 104).batches).toHaveLength(1)
    expect(committedBatches(log, [], 106)).toMatchObject({ batches: [], nextOffset: 106 })
  })

  test.each([
    ['holds nothing', message(1, gzipSync(Buffer.alloc(0)))],
    ['has no value', message(1, null)],
    ['holds another wrapper', message(1, gzipSync(message(1, gzipSync(message(0, Buffer.from('x'))))))],
    ['holds what is no message', message(1, gzipSync(Buffer.alloc(100)))],
    ['is no gzip', message(1, Buffer.from('no gzip'))],
    ['is of zstd, which these formats never had', message(4, Buffer.from('x'))],
    ['is of an unknown compression', message(7, Buffer.from('x'))],
  ])('that %s is damaged', (_, log) => {
    expect(() => readAll(log)).toThrow(CorruptBatchError)
  })

  test('is never decompressed into more than allowed', () => {
    const bomb = message(1, gzipSync(message(0, Buffer.alloc(2_000_000))))
    expect(() => readAll(bomb)).toThrow(BatchTooLargeError)
  })

  test('of random bytes gives an error, and nothing worse', () => {
    const old = fc.constantFrom(...logs.map(({ log }) => log))
    fc.assert(
      fc.property(
        old,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 5 }),
        (log, changes) => {
          const spoilt = Buffer.from(log)
          for (const [at, byte] of changes) spoilt[at % spoilt.length] = byte
          try {
            readAll(spoilt)
          } catch (error) {
            if (!(error instanceof CorruptBatchError || error instanceof BatchTooLargeError)) throw error
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
