import { setTimeout as sleep } from 'node:timers/promises'

export interface HealthWatchOptions {
  /** Resolves when the server has answered. */
  readonly ask: () => Promise<void>
  readonly everyMs: number
  /** How long an answer may take. */
  readonly timeoutMs: number
  /** Called when it has stopped to answer, and when it answers again. */
  readonly onChange: (answers: boolean) => void
}

/** One answer may be late on a busy machine. */
const missesAllowed = 1

/** Asks a running server again and again whether it answers, until it is stopped. */
export class HealthWatch implements Disposable {
  readonly #options: HealthWatchOptions
  readonly #over = new AbortController()
  #answers = true

  constructor(options: HealthWatchOptions) {
    this.#options = options
    void this.#watch()
  }

  [Symbol.dispose](): void {
    this.#over.abort()
  }

  async #watch(): Promise<void> {
    for (let misses = 0; await this.#pause(this.#options.everyMs);) {
      misses = (await this.#isAnswered()) ? 0 : misses + 1
      if (this.#over.signal.aborted) return
      const answers = misses <= missesAllowed && (misses === 0 || this.#answers)
      if (answers !== this.#answers) this.#options.onChange((this.#answers = answers))
    }
  }

  async #isAnswered(): Promise<boolean> {
    const { ask, timeoutMs } = this.#options
    const asked = ask().then(
      () => true,
      () => false,
    )
    return Promise.race([asked, this.#pause(timeoutMs).then(() => false)])
  }

  /** False where it was stopped meanwhile. */
  async #pause(ms: number): Promise<boolean> {
    const options = { signal: this.#over.signal, ref: false }
    return sleep(ms, true, options).catch(() => false)
  }
}
