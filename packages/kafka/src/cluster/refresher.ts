import type { Clock } from '@sluice/flow'
import { Backoff } from '../async/backoff.ts'

/** Between the starts of two refreshes, however many ask. */
const minIntervalMs = 50
const firstBackoffMs = 100
const maxBackoffMs = 1_000

/**
 * Puts refreshes that are asked for at the same time into one, and spaces them: one is under way, one may wait. Whoever
 * asks while one is under way gets the next, since what is being answered may be older than the question.
 */
export class Refresher {
  readonly #clock: Clock
  readonly #ask: (topics: readonly string[]) => Promise<void>
  readonly #backoff = new Backoff(firstBackoffMs, maxBackoffMs)
  #next: Round | undefined
  readonly #closing = new AbortController()
  #notBeforeMs = -Infinity
  #isRunning = false

  constructor(clock: Clock, ask: (topics: readonly string[]) => Promise<void>) {
    this.#clock = clock
    this.#ask = ask
  }

  refresh(topics: readonly string[]): Promise<void> {
    const round = (this.#next ??= { topics: new Set(), ...Promise.withResolvers<void>() })
    for (const topic of topics) round.topics.add(topic)
    if (!this.#isRunning) void this.#run()
    return round.promise
  }

  /** Fails those that wait for the next round; the one under way ends by itself. */
  close(error: Error): void {
    this.#next?.reject(error)
    this.#next = undefined
    this.#closing.abort(error)
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#next) {
      const waitMs = this.#notBeforeMs - this.#clock.monotonicMs()
      if (waitMs > 0) await this.#clock.sleep(waitMs, this.#closing.signal).catch(() => {})
      const round = this.#next
      // Closed meanwhile.
      if (!round) break
      this.#next = undefined
      await this.#ask([...round.topics]).then(
        () => this.#succeeded(round),
        (error: unknown) => this.#failed(round, error),
      )
    }
    this.#isRunning = false
  }

  #succeeded(round: Round): void {
    this.#backoff.reset()
    this.#notBeforeMs = this.#clock.monotonicMs() + minIntervalMs
    round.resolve()
  }

  #failed(round: Round, error: unknown): void {
    this.#notBeforeMs = this.#clock.monotonicMs() + this.#backoff.nextMs()
    round.reject(error)
  }
}

interface Round extends PromiseWithResolvers<void> {
  readonly topics: Set<string>
}
