import type { FetchAsk, FetchBudget, FetchPlan } from '../fetch/broker-loop.ts'
import type { ReadPartition } from './read-partition.ts'

/** What one fetch has reserved for all its partitions together; refunded with the last of their answers. */
interface Lot {
  readonly bytes: number
  open: number
}

export interface ReadAsk extends FetchAsk<ReadPartition> {
  readonly lot: Lot
}

/** At most so many fetches fill the budget, so that brokers do not wait for each other. */
const FETCHES = 4
/** A fetch for less is not worth its way. */
const LEAST_BYTES = 65_536

/**
 * Bounds what was fetched and not given out yet. A fetch reserves for all its partitions together, since the broker
 * fills it from whichever have something: a thousand idle partitions cost no more than one.
 */
export class ReadBudget implements FetchBudget<ReadPartition, ReadAsk> {
  readonly #maxBytes: number
  readonly #onRoom: () => void
  #usedBytes = 0

  /** `onRoom`: a fetch that found no room may find some now. */
  constructor(maxBytes: number, onRoom: () => void) {
    this.#maxBytes = maxBytes
    this.#onRoom = onRoom
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  plan(all: Iterable<ReadPartition>): FetchPlan<ReadPartition, ReadAsk> {
    const partitions = [...all].filter(({ wantsFetch }) => wantsFetch)
    const room = this.#maxBytes - this.#usedBytes
    const share = Math.max(LEAST_BYTES, Math.floor(this.#maxBytes / FETCHES))
    const bytes = Math.min(share, room)
    if (partitions.length === 0 || bytes < Math.min(LEAST_BYTES, this.#maxBytes)) {
      return { asks: [], waiting: partitions.length > 0 }
    }
    const lot: Lot = { bytes, open: partitions.length }
    this.#usedBytes += bytes
    // The broker gives the first partition one whole batch, however large.
    return {
      asks: partitions.map((partition) => ({ partition, bytes: partition.fetchBytes, lot })),
      waiting: false,
      maxBytes: bytes,
    }
  }

  settle({ lot }: ReadAsk, bytes: number): void {
    this.#usedBytes += bytes
    if (--lot.open > 0) return
    this.#usedBytes -= lot.bytes
    // Also after an answer that never came, for which another leader may have had to wait.
    this.#onRoom()
  }

  withdraw(): void {
    // Nobody has a claim here.
  }

  /** What an answer brought was given out. */
  release(bytes: number): void {
    this.#usedBytes -= bytes
    this.#onRoom()
  }
}
