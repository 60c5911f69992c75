/** Other work waits no longer than about this for a slice to end. */
const SLICE_MS = 10
/** The clock is looked at once for this many items. */
const ITEMS_A_LOOK = 32

/** Divides work on thousands of items into slices, between which the event loop gets on with everything else. */
export class TimeSlices {
  #startedMs = performance.now()
  #items = 0

  /** Counts an item. True: the slice is over, and `next` is to be awaited before more work is done. */
  isOver(): boolean {
    if (++this.#items % ITEMS_A_LOOK !== 0) return false
    return performance.now() - this.#startedMs >= SLICE_MS
  }

  /** Resolves when sockets and timers had their turn. */
  async next(): Promise<void> {
    await nextTurn()
    this.#startedMs = performance.now()
  }
}

/** A step that goes through this many takes some milliseconds. */
const manyPartitions = 500

/** To await between two steps that each visit so many partitions: with many, sockets and timers run first. */
export async function turnBetween(partitions: number): Promise<void> {
  if (partitions > manyPartitions) await nextTurn()
}

let lastTurn: Promise<void> = Promise.resolve()

/**
 * Resolves when sockets and timers had their turn. Of those who wait at the same time one goes on in each turn of the
 * event loop: together their steps would be as long as the work that they divide.
 */
export function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)))
  return lastTurn
}
