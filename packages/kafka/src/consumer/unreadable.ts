import type { Clock } from '@sluice/flow'
import type { DecodeLimits } from '../batch/decode.ts'
import { UnreadableBatchError, type RecordPlace } from './errors.ts'
import type { UnreadableRange } from './events.ts'

/** `skip`: an event names the offsets, and reading continues behind them. `stop`: an UnreadableBatchError ends it. */
export type UnreadablePolicy = 'skip' | 'stop'

export const unreadablePolicies: readonly UnreadablePolicy[] = ['skip', 'stop']

export interface UnreadablesOptions {
  readonly policy: UnreadablePolicy
  readonly limits: DecodeLimits
  readonly clock: Clock
  readonly emit: (event: UnreadableRange) => void
  /** Whether a process warning follows as well. Default: always. */
  readonly mayWarn?: () => boolean
}

const WARN_EVERY_MS = 60_000

/** How much is read of a batch, and what becomes of records that cannot be read. */
export class Unreadables {
  readonly limits: DecodeLimits
  readonly #options: UnreadablesOptions
  /** By topic. */
  readonly #skipped = new Map<string, number>()
  /** When each kind was last warned of, by its code; monotonic. */
  readonly #warnedMs = new Map<string, number>()

  constructor(options: UnreadablesOptions) {
    this.limits = options.limits
    this.#options = options
  }

  /**
   * The offsets from `place` up to `endOffset`, excluding it, cannot be read.
   * @throws UnreadableBatchError where that is to stop the reading
   */
  skip(place: RecordPlace, endOffset: number, cause: unknown): void {
    const error = new UnreadableBatchError(place, cause, endOffset)
    if (this.#options.policy === 'stop') throw error
    const { topic, partition, offset } = place
    this.#skipped.set(topic, (this.#skipped.get(topic) ?? 0) + 1)
    this.#warn(error)
    this.#options.emit({ topic, partition, offset, endOffset, error })
  }

  inspect(): readonly { readonly topic: string; readonly skipped: number }[] {
    return Array.from(this.#skipped, ([topic, skipped]) => ({ topic, skipped }))
  }

  #warn(error: UnreadableBatchError): void {
    const { clock, mayWarn } = this.#options
    if (mayWarn?.() === false) return
    const kind = codeOf(error.cause)
    const nowMs = clock.monotonicMs()
    if (nowMs - (this.#warnedMs.get(kind) ?? -Infinity) < WARN_EVERY_MS) return
    this.#warnedMs.set(kind, nowMs)
    process.emitWarning(`Skipped: ${error.message}`, { code: 'SLUICE_UNREADABLE' })
  }
}

function codeOf(cause: unknown): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'other'
}
