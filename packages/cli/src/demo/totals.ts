/** Reports that come closer together (a last one at the end) say nothing about a rate. */
const MIN_INTERVAL_MS = 500

/** A counter of a process that may be restarted: its total goes on where the killed process left it. */
export class Total {
  #before = 0
  #current = 0
  #rate = 0
  #since: { readonly value: number; readonly atMs: number } | undefined

  get value(): number {
    return this.#before + this.#current
  }

  /** A second, between the last two notes. */
  get perSecond(): number {
    return this.#rate
  }

  note(count: number, nowMs: number): void {
    // A process that counts from 0 again is a new one.
    if (count < this.#current) this.#before += this.#current
    this.#current = count
    const elapsedMs = this.#since === undefined ? Infinity : nowMs - this.#since.atMs
    if (elapsedMs < MIN_INTERVAL_MS) return
    this.#rate = ((this.value - (this.#since?.value ?? 0)) * 1_000) / elapsedMs
    this.#since = { value: this.value, atMs: nowMs }
  }

  /** Nothing came for a while. */
  expire(nowMs: number, afterMs: number): void {
    if (this.#since !== undefined && nowMs - this.#since.atMs > afterMs) this.#rate = 0
  }
}
