import type { AbortedTransaction } from '../driver/driver.ts'
import { CorruptBatchError } from '../errors.ts'
import { decodeRecords, readBatchHeaders } from './decode.ts'
import { type BatchHeader } from './decoded.ts'
import { int64, layout } from './layout.ts'

/** What a reader may see of one fetched partition. */
export interface CommittedBatches {
  /** In order, without control batches and aborted ones. Their records before the fetch offset are still in them. */
  readonly batches: readonly BatchHeader[]
  /** Where to fetch next: past everything that was fetched, seen or skipped. Undefined: not even one whole batch. */
  readonly nextOffset: number | undefined
  readonly skipped: { readonly control: number; readonly aborted: number }
  /** What stands behind all that: bytes that cannot be a batch. */
  readonly damage: Damage | undefined
}

export interface Damage {
  /** The first offset that is not known to be in order. */
  readonly offset: number
  /** Where the batch ends as it says itself, if that can be true; else behind one offset. */
  readonly endOffset: number
  readonly error: CorruptBatchError
}

/** The kind of a control batch is in its only record's key, after two bytes of version: 0 aborts, 1 commits. */
const abortMarker = 0

/**
 * Leaves out what no committed reader may see. For a reader of uncommitted records `aborted` is empty, as brokers send
 * it to them. Source: KIP-98; a transaction's records are aborted from `firstOffset` to its abort marker.
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
  let damage: Damage | undefined
  let range = 0
  let end = 0
  try {
    for (const batch of readBatchHeaders(records)) {
      while (range < ranges.length && ranges[range]!.firstOffset <= batch.lastOffset)
        open.add(ranges[range++]!.producerId)
      nextOffset = batch.lastOffset + 1
      end = batch.end
      if (batch.control) {
        skipped.control++
        if (open.has(batch.producerId) && isAbort(records, batch)) open.delete(batch.producerId)
      } else if (batch.transactional && open.has(batch.producerId)) skipped.aborted++
      else if (batch.lastOffset >= fetchOffset && batch.count !== 0) batches.push(batch)
    }
  } catch (error) {
    if (!(error instanceof CorruptBatchError)) throw error
    damage = damageAt(records, end, nextOffset ?? fetchOffset, error)
  }
  return { batches, nextOffset, skipped, damage }
}

function damageAt(records: Buffer, start: number, offset: number, error: CorruptBatchError): Damage {
  const isWhole = start + layout.records <= records.length
  const count = isWhole ? records.readInt32BE(start + layout.count) : 0
  const delta = isWhole ? records.readInt32BE(start + layout.lastOffsetDelta) : -1
  const endOffset = int64(records, start) + delta + 1
  // The two say about the same, unless one of them is part of the damage.
  const isLikely = delta >= 0 && delta + 1 === count && endOffset > offset && endOffset <= offset + count
  return { offset, endOffset: isLikely ? endOffset : offset + 1, error }
}

/**
 * A marker that cannot be read counts as an abort: it is the first of its producer behind the beginning of an aborted
 * transaction, and so ends that one.
 */
function isAbort(records: Buffer, batch: BatchHeader): boolean {
  try {
    const key = decodeRecords(records, batch)[0]?.key
    return key == null || key.length < 4 || key.readInt16BE(2) === abortMarker
  } catch {
    return true
  }
}
