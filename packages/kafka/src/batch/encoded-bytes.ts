import type { WireRecord } from '../record/record.ts'
import type { Compression } from './batch.ts'
import { batchOverheadBytes, encodeBatch, recordSizeUpperBound } from './encode.ts'

/** What a record takes in a batch of its own, as it is written: at most that. Compresses it to know. */
export function encodedBytes(record: WireRecord, compression: Compression): number {
  if (compression === 'none') return recordSizeUpperBound(record) + batchOverheadBytes
  return encodeBatch([record], compression, null).length
}
