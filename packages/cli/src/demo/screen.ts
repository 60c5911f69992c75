import { render, renderLine } from './render.ts'
import type { View } from './board.ts'

const LINE_INTERVAL_MS = 5_000
const HIDE_CURSOR = '\u001B[?25l'
const SHOW_CURSOR = '\u001B[?25h'
const CLEAR_BELOW = '\u001B[0J'

/** The terminal: a view that is redrawn in place; without a terminal, a plain line every few seconds. */
export class Screen implements Disposable {
  readonly #out: NodeJS.WriteStream
  readonly #live: boolean
  #drawn = 0
  #lineAtMs = Number.NEGATIVE_INFINITY

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
    this.#live = out.isTTY
  }

  /** A line that stays. */
  say(text: string): void {
    this.#erase()
    this.#out.write(`${text}\n`)
  }

  /** Something that happened: the view shows the latest itself, so it is a line only where there is no view. */
  note(text: string): void {
    if (!this.#live) this.#out.write(`${text}\n`)
  }

  draw(view: View, nowMs: number): void {
    if (!this.#live) {
      if (nowMs - this.#lineAtMs < LINE_INTERVAL_MS) return
      this.#lineAtMs = nowMs
      this.#out.write(`${renderLine(view)}\n`)
      return
    }
    // A terminal that does not tell its size has 0.
    const columns = this.#out.columns || 80
    const lines = render(view, { columns, color: this.#out.hasColors() }).slice(0, (this.#out.rows || 24) - 1)
    this.#erase()
    this.#out.write(`${HIDE_CURSOR}${lines.join('\n')}\n`)
    this.#drawn = lines.length
  }

  /** Leaves the last view on the screen. */
  [Symbol.dispose](): void {
    this.#drawn = 0
    if (this.#live) this.#out.write(SHOW_CURSOR)
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\u001B[${this.#drawn}A\r${CLEAR_BELOW}`)
    this.#drawn = 0
  }
}
