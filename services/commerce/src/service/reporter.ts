import { type Clock, systemClock } from '@sluice/flow'

const SEND_TIMEOUT_MS = 1_000

export interface ReporterOptions<Report> {
  /** Undefined where there is nobody to tell. */
  readonly read: () => Report | undefined
  /** Calls back when the report was taken, or when the supervisor is gone. */
  readonly send: (report: Report, onSent: () => void) => void
  readonly clock?: Clock
}

/** Sends reports one at a time: a supervisor that does not read gets no more of them. */
export class Reporter<Report> {
  readonly #options: ReporterOptions<Report>
  readonly #clock: Clock
  #sending: Promise<void> | undefined

  constructor(options: ReporterOptions<Report>) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** Sends one now, unless one is on its way still. */
  tick(): void {
    if (this.#sending === undefined) this.#send()
  }

  /** Sends a last one, after the one that is on its way. Resolves when it was taken or took too long. */
  async finish(): Promise<void> {
    // Whoever is gone will not take what is on its way either.
    if (this.#options.read() === undefined) return
    await this.#inTime()
    this.tick()
    await this.#inTime()
  }

  #send(): void {
    const report = this.#options.read()
    if (report === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#sending = promise
    this.#options.send(report, () => {
      this.#sending = undefined
      resolve()
    })
  }

  async #inTime(): Promise<void> {
    if (this.#sending === undefined) return
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = this.#clock.setTimeout(resolve, SEND_TIMEOUT_MS)
    await Promise.race([this.#sending, late])
    timer.cancel()
  }
}
