import type { Gate } from '@sluice/flow'
import type { DeliveryOutcome } from '../errors.ts'
import type { Account } from './account.ts'
import type { PendingRecord } from './pending-record.ts'

export interface WrittenBatch {
  readonly topic: string
  readonly partition: number
  /** -1: the broker did not say. */
  readonly baseOffset: number
  /** -1 unless the topic stamps records on append. */
  readonly logAppendTimeMs: number
}

/** The end of every accepted record: its promise is settled, it is counted, and its place in the queue is free. */
export class Settlement {
  readonly #gate: Gate
  readonly #account: Account

  constructor(gate: Gate, account: Account) {
    this.#gate = gate
    this.#account = account
  }

  deliver(records: readonly PendingRecord[], { topic, partition, baseOffset, logAppendTimeMs }: WrittenBatch): void {
    let bytes = 0
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!
      bytes += record.bytes
      const offset = baseOffset < 0 ? -1 : baseOffset + i
      const timestampMs = logAppendTimeMs < 0 ? record.timestampMs : logAppendTimeMs
      record.resolve({ topic, partition, offset, timestampMs })
    }
    this.#gate.release(bytes, records.length)
    this.#account.settle(records, 'delivered')
  }

  fail(records: readonly PendingRecord[], outcome: DeliveryOutcome, error: Error): void {
    let bytes = 0
    for (const record of records) {
      bytes += record.bytes
      record.reject(error)
    }
    this.#gate.release(bytes, records.length)
    this.#account.settle(records, outcome)
  }
}
