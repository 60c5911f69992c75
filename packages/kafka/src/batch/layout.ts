/**
 * Where the fields of a record batch lie (message format 2). Source: KIP-98 and Kafka's `DefaultRecordBatch`.
 * The CRC covers everything from `attributes` to the end.
 */
export const layout = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const

/** The length field counts what comes after it. */
export const lengthOverhead = 12

/** Bits of a batch's attributes. */
export const attribute = { compression: 0x07, logAppendTime: 0x08, transactional: 0x10, control: 0x20 } as const

/** The one format that is written since Kafka 0.11, and the only one that Kafka 4 takes. Older ones: `message-set.ts`. */
export const magic = 2

/** A Number is exact here, and an order of magnitude faster than a BigInt. */
export function int64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 4_294_967_296 + buffer.readUInt32BE(at + 4)
}
