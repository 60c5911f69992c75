import { Ring } from '@sluice/flow/internal'
import type { PendingRecord } from '../../outgoing/pending-record.ts'

/** What became of the records that were accepted: delivered + refused + unknown + pending = accepted. */
export interface DeliveryCounts {
  /** Records that the queue took. */
  readonly accepted: number
  /** Records that were acknowledged. */
  readonly delivered: number
  /** Given up, and certainly not in the log. */
  readonly refused: number
  /** Given up, and possibly in the log. */
  readonly unknown: number
  /** Records that are not settled yet. */
  readonly pending: number
}

/** Records accepted between two calls of `flush`, and who waits until they are settled. */
interface Settlements {
  pending: number
  /** The ordinal of the first record that is not among them. */
  end: number
  readonly onSettled: Set<() => void>
}

function newSettlements(): Settlements {
  return { pending: 0, end: Infinity, onSettled: new Set() }
}

/** Counts each accepted record once when it comes and once when it is settled. */
export class Account {
  #accepted = 0
  #delivered = 0
  #refused = 0
  #unknown = 0
  /** The oldest first; the newest takes what comes. */
  readonly #settlements = new Ring<Settlements>()
  #newest = newSettlements()

  constructor() {
    this.#settlements.push(this.#newest)
  }

  get pending(): number {
    return this.#accepted - this.#delivered - this.#refused - this.#unknown
  }

  accept(record: PendingRecord): void {
    record.ordinal = this.#accepted++
    this.#newest.pending++
  }

  settle(records: readonly PendingRecord[], outcome: 'delivered' | 'refused' | 'unknown'): void {
    if (this.#settlements.length === 1) this.#newest.pending -= records.length
    else for (const record of records) this.#settlementsOf(record).pending--
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
    this.#newest.end = this.#accepted
    this.#newest = newSettlements()
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

  inspect(): DeliveryCounts {
    return {
      accepted: this.#accepted,
      delivered: this.#delivered,
      refused: this.#refused,
      unknown: this.#unknown,
      pending: this.pending,
    }
  }

  /** Those that settle are the oldest, as a rule. */
  #settlementsOf({ ordinal }: PendingRecord): Settlements {
    for (const settlements of this.#settlements) if (ordinal < settlements.end) return settlements
    return this.#newest
  }

  #closeSettled(): void {
    while (this.#settlements.length > 1 && this.#settlements.peek()!.pending === 0) {
      for (const resolve of this.#settlements.shift()!.onSettled) resolve()
    }
  }
}
