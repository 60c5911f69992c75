import { once } from 'node:events'
import type { ReadStream } from 'node:tty'
import { safeJson } from './output/printable.ts'
import { PipeReader } from './pipe-reader.ts'

const quietMs = 5_000
const readerCheckMs = 200
const eraseLine = '\r\u001B[K'

/** Where a command writes. A reader that goes away (`sluice logs kafka-1 | head`) ends the program quietly. */
export class Terminal {
  readonly #out: NodeJS.WriteStream
  readonly #err: NodeJS.WriteStream
  readonly #input: ReadStream | undefined
  #transient = false
  #lastStep = ''
  #lastStepMs = -Infinity

  constructor(out: NodeJS.WriteStream = process.stdout, err: NodeJS.WriteStream = process.stderr, input?: ReadStream) {
    this.#out = out
    this.#err = err
    this.#input = input
    for (const stream of [out, err]) if (stream.listenerCount('error') === 0) stream.on('error', endOnBrokenPipe)
  }

  /** Whether somebody looks at the output itself. */
  get isScreen(): boolean {
    return this.#out.isTTY
  }

  get out(): NodeJS.WriteStream {
    return this.#out
  }

  get input(): ReadStream {
    return this.#input ?? process.stdin
  }

  /**
   * Ends the program when the reader of its output goes away, though nothing is written: for commands that wait for
   * more. Until it is disposed.
   */
  endWithReader(): Disposable {
    const reader = this.#out === process.stdout ? PipeReader.of(1) : undefined
    if (reader === undefined) return { [Symbol.dispose]: () => {} }
    const checks = setInterval(() => {
      if (reader.isGone()) process.exit(0)
    }, readerCheckMs)
    return { [Symbol.dispose]: () => clearInterval(checks) }
  }

  line(text = ''): void {
    this.endProgress()
    this.#out.write(`${text}\n`)
  }

  lines(texts: readonly string[]): void {
    this.endProgress()
    if (texts.length > 0) this.#out.write(`${texts.join('\n')}\n`)
  }

  raw(text: string): void {
    this.#out.write(text)
  }

  /** Writes much: resolves when there is room for more, so that a slow reader is waited for. */
  async stream(chunk: string | Uint8Array): Promise<void> {
    this.endProgress()
    if (!this.#out.write(chunk)) await once(this.#out, 'drain')
  }

  json(value: unknown): void {
    this.#out.write(`${safeJson(value, 2)}\n`)
  }

  /** One of many, a line each. */
  jsonLine(value: unknown): void {
    this.#out.write(`${safeJson(value)}\n`)
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

  /** A line beside the output. */
  note(text: string): void {
    this.endProgress()
    this.#err.write(`${text}\n`)
  }
}

function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
}
