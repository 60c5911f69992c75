import type { AbortedTransaction } from '../driver/driver.ts'
import { decodeRecords, readBatchHeaders, type BatchHeader } from './decode.ts'

/** What a reader may see of one fetched partition. */
export interface CommittedBatches {
  /** In order, without control batches and aborted ones. Their records before the fetch offset are still in them. */
  readonly batches: readonly BatchHeader[]
  /** Where to fetch next: past everything that was fetched, seen or skipped. Undefined: not even one whole batch. */
  readonly nextOffset: number | undefined
  readonly skipped: { readonly control: number; readonly aborted: number }
}

/** The kind of a control batch is in its only record's key, after two bytes of version: 0 aborts, 1 commits. */
const abortMarker = 0

/**
 * Leaves out what no committed reader may see. For a reader of uncommitted records `aborted` is empty, as brokers send
 * it to them. Source: KIP-98; a transaction's records are aborted from `firstOffset` to its abort marker.
 * @throws CorruptBatchError
 */
export function committedBatches(
  records: Buffer,
  aborted: readonly AbortedTransaction[],
  fetchOffset: number,
): CommittedBatches {
  const ranges = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const open = new Set<bigint>()
  const batches: BatchHeader[] = []
  const skipped = { control: 0, aborted: 0 }
  let nextOffset: number | undefined
  let range = 0
  for (const batch of readBatchHeaders(records)) {
    while (range < ranges.length && ranges[range]!.firstOffset <= batch.lastOffset)
      open.add(ranges[range++]!.producerId)
    nextOffset = batch.lastOffset + 1
    if (batch.control) {
      skipped.control++
      if (open.has(batch.producerId) && isAbort(records, batch)) open.delete(batch.producerId)
    } else if (batch.transactional && open.has(batch.producerId)) skipped.aborted++
    else if (batch.lastOffset >= fetchOffset && batch.count > 0) batches.push(batch)
  }
  return { batches, nextOffset, skipped }
}

function isAbort(records: Buffer, batch: BatchHeader): boolean {
  const key = decodeRecords(records, batch)[0]?.key
  return key != null && key.length >= 4 && key.readInt16BE(2) === abortMarker
}
