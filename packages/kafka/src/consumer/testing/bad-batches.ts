import { crc32c } from '../../driver/codecs.ts'
import { encodeBatch } from '../../batch/encode.ts'
import { layout, lengthOverhead } from '../../batch/layout.ts'

/** Batches of three records each, at offset 0, that cannot be read, by what is wrong with them. */
export function badBatches(): Readonly<Record<string, Buffer>> {
  return {
    checksum: spoilt((batch) => (batch[batch.length - 1]! ^= 1)),
    'unknown compression': sealed((batch) => batch.writeInt16BE(6, layout.attributes)),
    'a bomb': encodeBatch(threeOf(Buffer.alloc(100_000)), 'zstd', null),
    'what is no zstd': sealed((batch) => batch.writeInt16BE(4, layout.attributes)),
    'records that do not lie as they should': sealed((batch) => batch.fill(0xff, layout.records)),
    'more records than it can hold': sealed((batch) => batch.writeInt32BE(2 ** 31 - 1, layout.count)),
    'fewer than no records': sealed((batch) => batch.writeInt32BE(-1, layout.count)),
    'an offset beyond its end': sealed((batch) => (batch[layout.records + offsetDelta] = 126)),
    'an offset before its beginning': sealed((batch) => (batch[layout.records + offsetDelta] = 1)),
    'an unknown format': spoilt((batch) => (batch[layout.magic] = 9)),
    'an impossible length': spoilt((batch) => batch.writeInt32BE(9, layout.length)),
    'too many headers': encodeBatch(threeOf(null, 11), 'zstd', null),
  }
}

/** Three records, the first of which has the offset of the third. */
export function leaping(): Buffer {
  return sealed((batch) => (batch[layout.records + offsetDelta] = 4))
}

/** Of a small record: behind its length, attributes and the delta of its time, a byte each. */
const offsetDelta = 3

const threeOf = (value: Buffer | null, headers = 0) =>
  Array.from({ length: 3 }, () => ({
    key: null,
    value,
    headers: headers === 0 ? undefined : Array.from({ length: headers }, () => [Buffer.from('h'), null] as const),
    timestampMs: 0,
  }))

function spoilt(change: (batch: Buffer) => unknown): Buffer {
  const batch = Buffer.from(encodeBatch(threeOf(Buffer.from('lost')), 'none', null))
  change(batch)
  return batch
}

/** With a checksum and a length that fit what was changed. */
function sealed(change: (batch: Buffer) => unknown): Buffer {
  const batch = spoilt(change)
  batch.writeInt32BE(batch.length - lengthOverhead, layout.length)
  batch.writeUInt32BE(crc32c(batch.subarray(layout.attributes)), layout.crc)
  return batch
}
