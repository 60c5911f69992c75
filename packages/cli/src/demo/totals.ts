/** A counter of a process that may be restarted: its total goes on where the killed process left it. */
export class Total {
  #before = 0
  #current = 0
  #rate = 0
  #atMs: number | undefined

  get value(): number {
    return this.#before + this.#current
  }

  /** A second, between the last two notes. */
  get perSecond(): number {
    return this.#rate
  }

  note(count: number, nowMs: number): void {
    const last = this.value
    // A process that counts from 0 again is a new one.
    if (count < this.#current) this.#before += this.#current
    this.#current = count
    const elapsedMs = this.#atMs === undefined ? 0 : nowMs - this.#atMs
    this.#rate = elapsedMs > 0 ? ((this.value - last) * 1_000) / elapsedMs : 0
    this.#atMs = nowMs
  }

  /** Nothing came for a while. */
  expire(nowMs: number, afterMs: number): void {
    if (this.#atMs !== undefined && nowMs - this.#atMs > afterMs) this.#rate = 0
  }
}
