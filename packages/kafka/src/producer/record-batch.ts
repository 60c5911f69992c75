import type { BatchIdentity, Compression } from '../batch/batch.ts'
import { batchOverheadBytes, encodeBatch } from '../batch/encode.ts'
import type { PendingRecord } from './pending-record.ts'

/**
 * Records of one partition that are written together. Open while it takes records; sealed once it is encoded under a
 * sequence number: then its bytes never change, so that the broker knows a retry from a new batch.
 */
export class RecordBatch {
  readonly openedAtMs: number
  records: PendingRecord[] = []
  /** Before compression. */
  bytes = batchOverheadBytes
  encoded: Buffer | undefined
  identity: BatchIdentity | null = null
  attempts = 0
  /** An attempt was neither acknowledged nor certainly refused. */
  mayBeInLog = false
  /** Why the last attempt failed. */
  lastError: Error | undefined

  constructor(openedAtMs: number) {
    this.openedAtMs = openedAtMs
  }

  append(record: PendingRecord): void {
    this.records.push(record)
    this.bytes += record.bytes
  }

  seal(compression: Compression, identity: BatchIdentity | null): void {
    this.encoded = encodeBatch(this.records, compression, identity)
    this.identity = identity
  }

  /** Open for another sequence number. Only for a batch that is certainly not in the log. */
  unseal(): void {
    this.encoded = undefined
    this.identity = null
  }

  /** Takes out the records that were accepted at `untilMs` or before; they stand at the front. */
  takeAcceptedUntil(untilMs: number): PendingRecord[] {
    const kept = this.records.findIndex((record) => record.acceptedAtMs > untilMs)
    const taken = this.records.splice(0, kept === -1 ? this.records.length : kept)
    for (const record of taken) this.bytes -= record.bytes
    return taken
  }

  /** Two unsealed batches with half of the records each, in order. */
  split(): readonly [RecordBatch, RecordBatch] {
    const middle = this.records.length >>> 1
    return [this.#part(0, middle), this.#part(middle, this.records.length)]
  }

  #part(from: number, to: number): RecordBatch {
    const part = new RecordBatch(this.openedAtMs)
    for (const record of this.records.slice(from, to)) part.append(record)
    part.attempts = this.attempts
    part.lastError = this.lastError
    return part
  }
}
