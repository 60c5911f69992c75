import type { Priority } from '@sluice/flow'
import type { BatchIdentity, Compression } from '../../batch/batch.ts'
import { type Allocate, batchOverheadBytes, encodeBatch } from '../../batch/encode.ts'
import type { Delivery } from '../../record/record.ts'
import { BatchPromise, type WrittenBatch } from './batch-promise.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'

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
  /** When the last attempt began, in monotonic milliseconds. */
  sentAtMs = 0
  /** An attempt was neither acknowledged nor certainly refused. */
  mayBeInLog = false
  /** A record of it is invalid, and is looked for by halving: shared by the parts of one batch. */
  search: { refusalsLeft: number } | undefined
  /** Why the last attempt failed. */
  lastError: Error | undefined
  readonly #promise = new BatchPromise()
  #high = 0
  #highBytes = 0
  #low = 0

  constructor(openedAtMs: number) {
    this.openedAtMs = openedAtMs
  }

  /** The record's promise. */
  append(record: PendingRecord): Promise<Delivery> {
    this.#count(record, 1)
    return this.#promise.add(record, this.records.push(record) - 1)
  }

  /** Of its records, without what a batch takes itself. */
  get recordBytes(): number {
    return this.bytes - batchOverheadBytes
  }

  deliver(written: WrittenBatch): void {
    this.#promise.deliver(this.records, written)
  }

  fail(error: Error): void {
    this.#promise.fail(this.records, error)
  }

  seal(compression: Compression, identity: BatchIdentity | null, allocate: Allocate): void {
    this.encoded = encodeBatch(this.records, compression, identity, allocate)
    this.identity = identity
  }

  /** Open for another sequence number. Only for a batch that is certainly not in the log. */
  unseal(): void {
    this.encoded = undefined
    this.identity = null
  }

  /** Takes out the records that were accepted at `untilMs` or before; they stand at the front. */
  takeAcceptedUntil(untilMs: number): PendingRecord[] {
    this.#promise.comeApart(this.records)
    const kept = this.records.findIndex((record) => record.acceptedAtMs > untilMs)
    const taken = this.records.splice(0, kept === -1 ? this.records.length : kept)
    for (const record of taken) this.#count(record, -1)
    return taken
  }

  /** Those that may be evicted: below high. */
  get evictable(): { readonly records: number; readonly bytes: number } {
    return { records: this.records.length - this.#high, bytes: this.recordBytes - this.#highBytes }
  }

  /** The one of this priority that was accepted first. */
  oldestOf(priority: Priority): PendingRecord | undefined {
    const medium = this.records.length - this.#high - this.#low
    const count = { high: this.#high, medium, low: this.#low }[priority]
    return count > 0 ? this.records.find((record) => record.priority === priority) : undefined
  }

  /** Takes one of its records out, wherever it stands. */
  remove(record: PendingRecord): void {
    this.#promise.comeApart(this.records)
    this.records.splice(this.records.indexOf(record), 1)
    this.#count(record, -1)
  }

  /** Two unsealed batches with half of the records each, in order. */
  split(): readonly [RecordBatch, RecordBatch] {
    this.#promise.comeApart(this.records)
    const middle = this.records.length >>> 1
    return [this.#part(this.records.slice(0, middle)), this.#part(this.records.slice(middle))]
  }

  /** An unsealed batch of its records but these, in order; undefined: none is left. */
  without(rejected: ReadonlySet<PendingRecord>): RecordBatch | undefined {
    this.#promise.comeApart(this.records)
    const left = this.records.filter((record) => !rejected.has(record))
    return left.length > 0 ? this.#part(left) : undefined
  }

  #count({ bytes, priority }: PendingRecord, sign: 1 | -1): void {
    this.bytes += sign * bytes
    if (priority === 'medium') return
    if (priority === 'low') this.#low += sign
    else {
      this.#high += sign
      this.#highBytes += sign * bytes
    }
  }

  #part(records: readonly PendingRecord[]): RecordBatch {
    const part = new RecordBatch(this.openedAtMs)
    for (const record of records) void part.append(record)
    part.search = this.search
    part.attempts = this.attempts
    part.lastError = this.lastError
    return part
  }
}
