const HIDE_CURSOR = '\u001B[?25l'
const SHOW_CURSOR = '\u001B[?25h'
const CLEAR_BELOW = '\u001B[0J'

/** Lines at the end of a terminal that are drawn again in place. No line may be wider than the terminal. */
export class LiveRegion implements Disposable {
  readonly #out: NodeJS.WriteStream
  #drawn = 0

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  // A terminal that does not tell its size has 0.
  get columns(): number {
    return this.#out.columns || 80
  }

  get rows(): number {
    return this.#out.rows || 24
  }

  /** A line that stays, above the region. */
  say(text: string): void {
    this.#out.write(`${this.#erasure()}${text}\n`)
  }

  /** What does not fit the height is left out. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, this.rows - 1)
    // In one write, so that the terminal never shows the half of it.
    this.#out.write(`${HIDE_CURSOR}${this.#erasure()}${shown.join('\n')}\n`)
    this.#drawn = shown.length
  }

  /** Leaves the last lines on the screen. */
  [Symbol.dispose](): void {
    this.#drawn = 0
    this.#out.write(SHOW_CURSOR)
  }

  #erasure(): string {
    const erasure = this.#drawn > 0 ? `\u001B[${this.#drawn}A\r${CLEAR_BELOW}` : ''
    this.#drawn = 0
    return erasure
  }
}
