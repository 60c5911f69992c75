/** Who asked the demo to end: the user, or its own time. */
export type StopReason = NodeJS.Signals | 'time'

/** Waits for Ctrl-C, SIGTERM or SIGHUP, or for the end of the time; a second signal ends everything at once. */
export class StopRequest implements Disposable {
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  readonly #onForce: () => void
  #reason: StopReason | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #onSignal = (name: NodeJS.Signals): void => {
    const isSecond = this.#reason !== undefined && this.#reason !== 'time'
    if (isSecond) this.#onForce()
    this.#reason = name
    this.#controller.abort()
  }

  constructor(onForce: () => void) {
    this.signal = this.#controller.signal
    this.#onForce = onForce
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, this.#onSignal)
  }

  get reason(): StopReason | undefined {
    return this.#reason
  }

  /** Asks for the end after so long. */
  after(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#reason ??= 'time'
      this.#controller.abort()
    }, delayMs)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, this.#onSignal)
  }
}
