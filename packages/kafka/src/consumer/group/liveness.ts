import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { ConsumerEvents } from '../events.ts'

export interface LivenessOptions {
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly sessionTimeoutMs: number
  readonly onResumed: () => void
}

/** Whether the group still counts on this member, as far as the answers to its heartbeats tell. */
export class Liveness {
  readonly #options: LivenessOptions
  /** When the last heartbeat that was answered was sent. */
  #lastAnsweredMs: number
  #suspended = false

  constructor(options: LivenessOptions) {
    this.#options = options
    this.#lastAnsweredMs = options.clock.monotonicMs()
  }

  /** A heartbeat within the session timeout was answered. */
  get isAlive(): boolean {
    return this.silentMs <= this.#options.sessionTimeoutMs
  }

  get silentMs(): number {
    return this.#options.clock.monotonicMs() - this.#lastAnsweredMs
  }

  get suspended(): boolean {
    return this.#suspended
  }

  /** Tells where the silence has become too long for a member. */
  look(): void {
    if (this.#suspended || this.isAlive) return
    this.#suspended = true
    this.#options.events.emit('suspended', { silentMs: this.silentMs })
  }

  answered(sentAtMs: number): void {
    const { silentMs } = this
    this.#lastAnsweredMs = sentAtMs
    // An answer may be so late that the silence is not over yet.
    if (!this.#suspended || !this.isAlive) return
    this.#suspended = false
    this.#options.events.emit('resumed', { silentMs })
    this.#options.onResumed()
  }
}
