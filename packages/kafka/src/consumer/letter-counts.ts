import type { ConsumerEvents } from './events.ts'

/** The dead letters of a consumer. */
export interface LetterCounts {
  /** Dead letters that are in their topics, also those of `reduced`. */
  readonly written: number
  /** Those that their topic was too small for: without the whole message, the value, headers or the key. */
  readonly reduced: number
}

/** Counts the dead letters of a consumer. */
export class LetterCounter {
  #written = 0
  #reduced = 0

  count({ omitted }: ConsumerEvents['deadLettered']): void {
    this.#written++
    if (omitted.length > 0) this.#reduced++
  }

  inspect(): LetterCounts {
    return { written: this.#written, reduced: this.#reduced }
  }
}
