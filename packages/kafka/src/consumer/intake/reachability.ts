import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import { ConnectionError, RequestTimeoutError } from '../../errors.ts'
import type { ConsumerEvents } from '../events.ts'

/** Tells when no broker can be reached any more, and when one answers a fetch again. */
export class Reachability {
  readonly #clock: Clock
  readonly #events: Emitter<ConsumerEvents>
  /** Monotonic. */
  #lostAtMs: number | undefined

  constructor(clock: Clock, events: Emitter<ConsumerEvents>) {
    this.#clock = clock
    this.#events = events
  }

  /** The metadata could not be asked for: all known brokers and the bootstrap addresses were tried. */
  failed(reason: unknown): void {
    const isUnreachable = reason instanceof ConnectionError || reason instanceof RequestTimeoutError
    if (!isUnreachable || this.#lostAtMs !== undefined) return
    this.#lostAtMs = this.#clock.monotonicMs()
    this.#events.emit('clusterLost', { reason })
  }

  reached(): void {
    if (this.#lostAtMs === undefined) return
    const lostMs = this.#clock.monotonicMs() - this.#lostAtMs
    this.#lostAtMs = undefined
    this.#events.emit('clusterBack', { lostMs })
  }
}
