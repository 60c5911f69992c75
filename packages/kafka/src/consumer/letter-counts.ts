import type { Clock, Emitter } from '@sluice/flow'
import type { ConsumerEvents } from './events.ts'

export interface LetterCounts {
  /** Dead letters that are in their topics, also those of `reduced`. */
  readonly written: number
  /** Those that their topic was too small for: without the whole message, the value, headers or the key. */
  readonly reduced: number
}

/** A topic's trouble is said so often. */
const restMs = 10_000

/** Counts the dead letters of a consumer, and warns of those that could not be written whole. */
export class LetterLog {
  readonly #clock: Clock
  readonly #saidAtMs = new Map<string, number>()
  #written = 0
  #reduced = 0

  constructor(events: Emitter<ConsumerEvents>, clock: Clock) {
    this.#clock = clock
    events.on('deadLettered', (event) => this.#count(event))
  }

  inspect(): LetterCounts {
    return { written: this.#written, reduced: this.#reduced }
  }

  #count({ topic, partition, offset, to, omitted }: ConsumerEvents['deadLettered']): void {
    this.#written++
    if (omitted.length === 0) return
    this.#reduced++
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - (this.#saidAtMs.get(to) ?? -Infinity) < restMs) return
    this.#saidAtMs.set(to, nowMs)
    const what = `without its whole ${omitted.join(', ')}`
    const text = `The dead letter of ${topic}/${partition} at offset ${offset} was written ${what}: raise max.message.bytes of ${to}`
    process.emitWarning(text, { code: 'SLUICE_DEAD_LETTERS' })
  }
}
