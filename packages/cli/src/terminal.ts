import { stripVTControlCharacters } from 'node:util'

const quietMs = 5_000
const eraseLine = '\r\u001B[K'

/** Where a command writes. A reader that goes away (`sluice logs kafka-1 | head`) ends the program quietly. */
export class Terminal {
  readonly #out: NodeJS.WriteStream
  readonly #err: NodeJS.WriteStream
  #transient = false
  #lastStep = ''
  #lastStepMs = -Infinity

  constructor(out: NodeJS.WriteStream = process.stdout, err: NodeJS.WriteStream = process.stderr) {
    this.#out = out
    this.#err = err
    for (const stream of [out, err]) if (stream.listenerCount('error') === 0) stream.on('error', endOnBrokenPipe)
  }

  get isInteractive(): boolean {
    return this.#err.isTTY
  }

  line(text = ''): void {
    this.endProgress()
    this.#out.write(`${text}\n`)
  }

  raw(text: string): void {
    this.#out.write(text)
  }

  json(value: unknown): void {
    this.#out.write(`${JSON.stringify(value, null, 2)}\n`)
  }

  /** Columns as wide as their widest cell. */
  table(rows: readonly (readonly string[])[]): void {
    const widths: number[] = []
    for (const row of rows)
      for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, visibleLength(cell))
    for (const row of rows) {
      this.line(
        row
          .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - visibleLength(cell)))
          .join('  ')
          .trimEnd(),
      )
    }
  }

  /** On a terminal one line that changes; elsewhere a line for each new step, and one every 5 s while a step goes on. */
  progress(text: string): void {
    if (this.#err.isTTY) {
      this.#err.write(`${eraseLine}${text.slice(0, (this.#err.columns || 80) - 1)}`)
      this.#transient = true
      return
    }
    const step = text.split(':')[0] ?? text
    if (step === this.#lastStep && performance.now() - this.#lastStepMs < quietMs) return
    this.#lastStep = step
    this.#lastStepMs = performance.now()
    this.#err.write(`${text}\n`)
  }

  endProgress(): void {
    if (this.#transient) this.#err.write(eraseLine)
    this.#transient = false
  }

  error(text: string): void {
    this.endProgress()
    this.#err.write(`${text}\n`)
  }
}

function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length
}

function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
}
