import type { Clock, Timer } from '@sluice/flow'
import type { Invocation } from './invocation.ts'

export interface DeadlinesOptions {
  readonly clock: Clock
  readonly handlerTimeoutMs: number
  readonly abandonAfterMs: number
  readonly onTimeout: (invocation: Invocation) => void
  readonly onAbandon: (invocation: Invocation) => void
}

/**
 * Watches the calls that are out with one timer for all: they have the same time each, so that the oldest is always
 * the next one due.
 */
export class Deadlines {
  readonly #options: DeadlinesOptions
  readonly #running = new Set<Invocation>()
  /** Those that were aborted, by the time they are abandoned. */
  readonly #late = new Map<Invocation, number>()
  #timer: Timer | undefined

  constructor(options: DeadlinesOptions) {
    this.#options = options
  }

  add(invocation: Invocation): void {
    invocation.startedAtMs = this.#options.clock.monotonicMs()
    this.#running.add(invocation)
    if (this.#timer === undefined) this.#arm()
  }

  delete(invocation: Invocation): void {
    if (!this.#running.delete(invocation)) this.#late.delete(invocation)
  }

  /** The oldest call that is out. */
  oldest(): Invocation | undefined {
    for (const [invocation] of this.#late) return invocation
    for (const invocation of this.#running) return invocation
    return undefined
  }

  /** How long each call that is out has been so. */
  *ages(): Generator<number, void, undefined> {
    const nowMs = this.#options.clock.monotonicMs()
    for (const { startedAtMs } of this.#running) yield nowMs - startedAtMs
    for (const [{ startedAtMs }] of this.#late) yield nowMs - startedAtMs
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#running.clear()
    this.#late.clear()
  }

  #arm(): void {
    const dueMs = this.#nextDueMs()
    this.#timer =
      dueMs === Infinity
        ? undefined
        : this.#options.clock.setTimeout(() => this.#sweep(), Math.max(0, dueMs - this.#options.clock.monotonicMs()))
  }

  #nextDueMs(): number {
    let dueMs = Infinity
    for (const { startedAtMs } of this.#running) {
      dueMs = startedAtMs + this.#options.handlerTimeoutMs
      break
    }
    for (const [, abandonAtMs] of this.#late) {
      dueMs = Math.min(dueMs, abandonAtMs)
      break
    }
    return dueMs
  }

  #sweep(): void {
    const { clock, handlerTimeoutMs, abandonAfterMs, onTimeout, onAbandon } = this.#options
    const nowMs = clock.monotonicMs()
    for (const [invocation, abandonAtMs] of this.#late) {
      if (abandonAtMs > nowMs) break
      this.#late.delete(invocation)
      onAbandon(invocation)
    }
    for (const invocation of this.#running) {
      if (invocation.startedAtMs + handlerTimeoutMs > nowMs) break
      this.#running.delete(invocation)
      this.#late.set(invocation, nowMs + abandonAfterMs)
      onTimeout(invocation)
    }
    this.#arm()
  }
}
