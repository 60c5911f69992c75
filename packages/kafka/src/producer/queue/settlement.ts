import type { Clock, Gate } from '@sluice/flow'
import { DeliveryError } from '../../errors.ts'
import type { DeliveryOutcome } from '../../errors.ts'
import type { Account } from './account.ts'
import type { WrittenBatch } from './batch-promise.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'
import type { RecordBatch } from './record-batch.ts'
import type { SendStats } from '../send/send-stats.ts'

export interface SettlementParts {
  readonly gate: Gate
  readonly account: Account
  readonly stats: SendStats
  readonly clock: Clock
  /** Undefined: none are written. */
  readonly deadLetters: DeadLetters | undefined
  /** Called when all counts are right again. */
  readonly onRoom: () => void
}

/**
 * The end of every accepted record: its promise is settled, it is counted, and its place in the queue is free. What
 * failed for good keeps its place until its dead letter is written.
 */
export class Settlement {
  readonly #parts: SettlementParts

  constructor(parts: SettlementParts) {
    this.#parts = parts
  }

  deliver(batch: RecordBatch, written: WrittenBatch): void {
    batch.deliver(written)
    this.#parts.stats.delivered(written.topic, batch, this.#parts.clock.monotonicMs())
    this.#settle(batch.records, batch.recordBytes, 'delivered')
  }

  failBatch(batch: RecordBatch, outcome: DeliveryOutcome, error: Error): void {
    const { records, attempts, recordBytes } = batch
    this.#afterBurial(records, attempts, outcome, error, () => {
      batch.fail(error)
      this.#settle(records, recordBytes, outcome)
    })
  }

  /** Records that are in no batch, or not any longer. */
  fail(records: readonly PendingRecord[], outcome: DeliveryOutcome, error: Error, attempts = 0): void {
    this.#afterBurial(records, attempts, outcome, error, () => {
      let bytes = 0
      for (const record of records) {
        bytes += record.bytes
        record.own!.reject(error)
      }
      this.#settle(records, bytes, outcome)
    })
  }

  #afterBurial(
    records: readonly PendingRecord[],
    attempts: number,
    outcome: DeliveryOutcome,
    error: Error,
    settle: () => void,
  ): void {
    const { deadLetters, stats } = this.#parts
    if (error instanceof DeliveryError) stats.failed(error.topic, records)
    if (!deadLetters || !(error instanceof DeliveryError)) settle()
    else void deadLetters.bury({ records, attempts, outcome, error }).then(settle)
  }

  #settle(records: readonly PendingRecord[], bytes: number, outcome: 'delivered' | DeliveryOutcome): void {
    const { gate, account, onRoom } = this.#parts
    gate.release(bytes, records.length)
    account.settle(records, outcome)
    onRoom()
  }
}
