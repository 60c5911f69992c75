/** How fast counts grow from one look to the next. */
export class Rates {
  readonly #last = new Map<string, { readonly count: number; readonly atMs: number }>()

  /**
   * A second; null at the first look.
   * @param nowMs monotonic
   */
  next(name: string, count: number, nowMs: number): number | null {
    const last = this.#last.get(name)
    this.#last.set(name, { count, atMs: nowMs })
    // Less than before: it was made anew.
    if (!last || count < last.count || nowMs <= last.atMs) return null
    return ((count - last.count) / (nowMs - last.atMs)) * 1_000
  }
}
