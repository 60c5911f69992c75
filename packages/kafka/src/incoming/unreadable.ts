import type { DecodeLimits } from '../batch/decoded.ts'
import { UnreadableBatchError } from './errors.ts'

import type { OffsetPlace } from '../record/places.ts'

/** `skip`: an event names the offsets, and reading continues behind them. `stop`: an UnreadableBatchError ends it. */
export type UnreadablePolicy = 'skip' | 'stop'

export const unreadablePolicies: readonly UnreadablePolicy[] = ['skip', 'stop']

export interface UnreadablesOptions {
  readonly policy: UnreadablePolicy
  readonly limits: DecodeLimits
  readonly emit: (event: UnreadableRange) => void
}

/** How often something of a topic could not be read and was skipped: each time a record, or the rest of a batch. */
export interface SkippedRecords {
  readonly topic: string
  /** How often. */
  readonly skipped: number
}

/** How much is read of a batch, and what becomes of records that cannot be read. */
export class Unreadables {
  readonly limits: DecodeLimits
  readonly #options: UnreadablesOptions
  /** By topic. */
  readonly #skipped = new Map<string, number>()

  constructor(options: UnreadablesOptions) {
    this.limits = options.limits
    this.#options = options
  }

  /**
   * The offsets from `place` up to `endOffset`, excluding it, cannot be read.
   * @throws UnreadableBatchError where that is to stop the reading
   */
  skip(place: OffsetPlace, endOffset: number, cause: unknown): void {
    const error = new UnreadableBatchError(place, cause, endOffset)
    if (this.#options.policy === 'stop') throw error
    const { topic, partition, offset } = place
    this.#skipped.set(topic, (this.#skipped.get(topic) ?? 0) + 1)
    this.#options.emit({ topic, partition, offset, endOffset, error })
  }

  inspect(): readonly SkippedRecords[] {
    return Array.from(this.#skipped, ([topic, skipped]) => ({ topic, skipped }))
  }
}

/** Offsets that cannot be read, from `offset` up to `endOffset`, which is not one of them. */
export interface UnreadableRange extends OffsetPlace {
  /** The first offset behind them. */
  readonly endOffset: number
  /** Its `cause` says why. */
  readonly error: UnreadableBatchError
}
