import type { Gate } from '@sluice/flow'
import type { DeliveryOutcome } from '../errors.ts'
import type { Account } from './account.ts'
import type { WrittenBatch } from './batch-promise.ts'
import type { PendingRecord } from './pending-record.ts'
import type { RecordBatch } from './record-batch.ts'

/** The end of every accepted record: its promise is settled, it is counted, and its place in the queue is free. */
export class Settlement {
  readonly #gate: Gate
  readonly #account: Account
  readonly #onRoom: () => void

  /** `onRoom` is called when all counts are right again. */
  constructor(gate: Gate, account: Account, onRoom: () => void) {
    this.#gate = gate
    this.#account = account
    this.#onRoom = onRoom
  }

  deliver(batch: RecordBatch, written: WrittenBatch): void {
    batch.deliver(written)
    this.#settle(batch.records, batch.recordBytes, 'delivered')
  }

  failBatch(batch: RecordBatch, outcome: DeliveryOutcome, error: Error): void {
    batch.fail(error)
    this.#settle(batch.records, batch.recordBytes, outcome)
  }

  /** Records that are in no batch, or not any longer. */
  fail(records: readonly PendingRecord[], outcome: DeliveryOutcome, error: Error): void {
    let bytes = 0
    for (const record of records) {
      bytes += record.bytes
      record.own!.reject(error)
    }
    this.#settle(records, bytes, outcome)
  }

  #settle(records: readonly PendingRecord[], bytes: number, outcome: 'delivered' | DeliveryOutcome): void {
    this.#gate.release(bytes, records.length)
    this.#account.settle(records, outcome)
    this.#onRoom()
  }
}
