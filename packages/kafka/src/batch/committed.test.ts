import { describe, expect, test } from 'vitest'
import { crc32c } from '../driver/codecs.ts'
import { committedBatches } from './committed.ts'
import { decodeRecords } from './decode.ts'
import { encodeBatch } from './encode.ts'
import { attribute, layout } from './layout.ts'

/** A batch of one record a letter, as the log holds it from `baseOffset` on. */
function batchAt(baseOffset: number, letters: string, producerId: bigint | null = null): Buffer {
  const records = letters.split('').map((letter) => ({
    key: null,
    value: Buffer.from(letter),
    headers: undefined,
    timestampMs: 1_000,
  }))
  const identity = producerId === null ? null : { producerId, epoch: 0, baseSequence: 0, transactional: true }
  const batch = encodeBatch(records, 'none', identity)
  batch.writeBigInt64BE(BigInt(baseOffset), layout.baseOffset)
  return batch
}

function marker(offset: number, producerId: bigint, kind: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1])
  const record = { key, value: Buffer.alloc(6), headers: undefined, timestampMs: 1_000 }
  const batch = encodeBatch([record], 'none', { producerId, epoch: 0, baseSequence: -1, transactional: true })
  batch.writeBigInt64BE(BigInt(offset), layout.baseOffset)
  batch.writeInt16BE(batch.readInt16BE(layout.attributes) | attribute.control, layout.attributes)
  batch.writeUInt32BE(crc32c(batch.subarray(layout.attributes)), layout.crc)
  return batch
}

function visible(log: Buffer, aborted: ReadonlyArray<{ producerId: bigint; firstOffset: number }>, from = 0): string {
  const { batches } = committedBatches(log, aborted, from)
  return batches.flatMap((batch) => decodeRecords(log, batch).map((record) => String(record.value))).join('')
}

describe('a committed reader', () => {
  test('sees no record of an aborted transaction and every other', () => {
    const log = Buffer.concat([
      batchAt(0, 'ab', 1n),
      batchAt(2, 'c'),
      batchAt(3, 'xy', 2n),
      marker(5, 2n, 'abort'),
      marker(6, 1n, 'commit'),
      batchAt(7, 'd', 2n),
      marker(8, 2n, 'commit'),
    ])
    expect(visible(log, [{ producerId: 2n, firstOffset: 3 }])).toBe('abcd')
  })

  test('leaves out two aborted transactions of one producer, whatever order they are told in', () => {
    const log = Buffer.concat([
      batchAt(0, 'x', 1n),
      marker(1, 1n, 'abort'),
      batchAt(2, 'a', 1n),
      marker(3, 1n, 'commit'),
      batchAt(4, 'y', 1n),
      marker(5, 1n, 'abort'),
      batchAt(6, 'b', 1n),
    ])
    const aborted = [
      { producerId: 1n, firstOffset: 4 },
      { producerId: 1n, firstOffset: 0 },
    ]
    expect(visible(log, aborted)).toBe('ab')
  })

  test('leaves out the rest of a transaction that began before the fetch', () => {
    const log = Buffer.concat([batchAt(10, 'x', 5n), marker(11, 5n, 'abort'), batchAt(12, 'a', 5n)])
    expect(visible(log, [{ producerId: 5n, firstOffset: 3 }], 10)).toBe('a')
  })

  test('goes on past control and aborted batches, even where they are all there is', () => {
    const log = Buffer.concat([batchAt(0, 'xy', 1n), marker(2, 1n, 'abort')])
    const result = committedBatches(log, [{ producerId: 1n, firstOffset: 0 }], 0)
    expect(result).toMatchObject({ batches: [], nextOffset: 3, skipped: { control: 1, aborted: 1 } })
  })

  test('says that not even one batch came whole', () => {
    expect(committedBatches(batchAt(0, 'abc').subarray(0, 70), [], 0).nextOffset).toBeUndefined()
  })

  test('leaves out batches that lie before the fetch offset', () => {
    const log = Buffer.concat([batchAt(0, 'ab'), batchAt(2, 'cd')])
    expect(visible(log, [], 2)).toBe('cd')
    expect(visible(log, [], 1)).toBe('abcd')
  })
})
