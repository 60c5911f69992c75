/** A record on its way to a handler, by what it is known again. */
export interface Mark {
  readonly group: string
  /** Its `idempotency-key`, or else where it is. */
  readonly key: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** -1: unknown. Another one at the same place is another record. */
  readonly leaderEpoch: number
}

/** Whether the record was handled by this call, or had been handled before. */
export type Handled = 'handled' | 'duplicate'

/** Remembers what was handled. `Tx` is what the handler gets for effects that are to be done with the mark, if anything. */
export interface IdempotencyStore<Tx> {
  /**
   * Runs `handle` unless the record of the mark was handled before, and marks it.
   * @throws what `handle` throws, and the record is unmarked then; what keeps the store from knowing
   */
  once(mark: Mark, handle: (tx: Tx) => unknown): Promise<Handled>
}

/** Marks are kept so long by default. */
export const EXPIRY_MS = 7 * 86_400_000
