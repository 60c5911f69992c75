/** Waits that double from `initialMs` to `maxMs`, each shortened by up to a half at random so that many spread out. */
export class Backoff {
  readonly #initialMs: number
  readonly #maxMs: number
  #nextMs: number

  constructor(initialMs: number, maxMs: number) {
    this.#initialMs = initialMs
    this.#maxMs = maxMs
    this.#nextMs = initialMs
  }

  nextMs(): number {
    const waitMs = this.#nextMs
    this.#nextMs = Math.min(this.#maxMs, waitMs * 2)
    return waitMs * (0.5 + Math.random() / 2)
  }

  reset(): void {
    this.#nextMs = this.#initialMs
  }
}
