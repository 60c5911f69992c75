import { Ring } from '@sluice/flow'
import type { PendingRecord } from './pending-record.ts'

/** What became of the records that were accepted: delivered + refused + unknown + pending = accepted. */
export interface AccountState {
  readonly accepted: number
  readonly delivered: number
  /** Given up, and certainly not in the log. */
  readonly refused: number
  /** Given up, and possibly in the log. */
  readonly unknown: number
  readonly pending: number
}

/** Records accepted between two calls of `flush`, and who waits until they are settled. */
export interface Settlements {
  pending: number
  readonly onSettled: Set<() => void>
}

/** Counts each accepted record once when it comes and once when it is settled. */
export class Account {
  #accepted = 0
  #delivered = 0
  #refused = 0
  #unknown = 0
  /** The oldest first; the newest takes what comes. */
  readonly #settlements = new Ring<Settlements>()
  #newest: Settlements = { pending: 0, onSettled: new Set() }

  constructor() {
    this.#settlements.push(this.#newest)
  }

  get pending(): number {
    return this.#accepted - this.#delivered - this.#refused - this.#unknown
  }

  accept(record: PendingRecord): void {
    record.settlements = this.#newest
    this.#newest.pending++
    this.#accepted++
  }

  settle(records: readonly PendingRecord[], outcome: 'delivered' | 'refused' | 'unknown'): void {
    for (const record of records) record.settlements!.pending--
    if (outcome === 'delivered') this.#delivered += records.length
    else if (outcome === 'refused') this.#refused += records.length
    else this.#unknown += records.length
    this.#closeSettled()
  }

  /** Resolves once every record that was accepted before is settled. @throws the signal's reason */
  async settled(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.pending === 0) return
    const { onSettled } = this.#newest
    this.#newest = { pending: 0, onSettled: new Set() }
    this.#settlements.push(this.#newest)
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        onSettled.delete(finish)
        reject(signal!.reason as Error)
      }
      const finish = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      onSettled.add(finish)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  inspect(): AccountState {
    return {
      accepted: this.#accepted,
      delivered: this.#delivered,
      refused: this.#refused,
      unknown: this.#unknown,
      pending: this.pending,
    }
  }

  #closeSettled(): void {
    while (this.#settlements.length > 1 && this.#settlements.peek()!.pending === 0) {
      for (const resolve of this.#settlements.shift()!.onSettled) resolve()
    }
  }
}
