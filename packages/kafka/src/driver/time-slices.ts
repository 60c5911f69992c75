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

/** So many partitions at least: a step that goes through all of them takes some 4 us for each. */
const manyPartitions = 1_000

/** To await between two steps that each visit so many partitions: with many, sockets and timers run first. */
export async function turnBetween(partitions: number): Promise<void> {
  if (partitions > manyPartitions) await nextTurn()
}

/** Resolves when sockets and timers had their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
