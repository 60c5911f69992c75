import { LiveRegion } from '../output/live-region.ts'
import { render, renderLine } from './render.ts'
import type { View } from './board.ts'

const LINE_INTERVAL_MS = 5_000

/** The terminal: a view that is redrawn in place; without a terminal, a plain line every few seconds. */
export class Screen implements Disposable {
  readonly #out: NodeJS.WriteStream
  readonly #region: LiveRegion | undefined
  #lineAtMs = Number.NEGATIVE_INFINITY

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
    this.#region = out.isTTY ? new LiveRegion(out) : undefined
  }

  /** A line that stays. */
  say(text: string): void {
    if (this.#region) this.#region.say(text)
    else this.#out.write(`${text}\n`)
  }

  /** Something that happened: the view shows the latest itself, so it is a line only where there is no view. */
  note(text: string): void {
    if (!this.#region) this.#out.write(`${text}\n`)
  }

  draw(view: View, nowMs: number): void {
    if (this.#region) {
      this.#region.draw(render(view, { columns: this.#region.columns, color: this.#out.hasColors() }))
      return
    }
    if (nowMs - this.#lineAtMs < LINE_INTERVAL_MS) return
    this.#lineAtMs = nowMs
    this.#out.write(`${renderLine(view)}\n`)
  }

  /** Leaves the last view on the screen. */
  [Symbol.dispose](): void {
    this.#region?.[Symbol.dispose]()
  }
}
