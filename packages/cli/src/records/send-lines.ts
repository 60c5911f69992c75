import type { Producer } from '@sluice/kafka'
import { describeError } from '../describe-error.ts'
import type { Terminal } from '../terminal.ts'
import { counted, figure } from '../output/figures.ts'
import { linesOf } from './lines.ts'
import type { LineParser } from './parse-line.ts'
import type { RawTopic } from './raw-topic.ts'

export interface LineFailure {
  readonly line: number
  readonly error: string
}

/** What became of the lines. */
export interface SendReport {
  readonly acknowledged: number
  readonly failed: number
  /** The first of those that failed. */
  readonly failures: readonly LineFailure[]
}

const MAX_FAILURES = 100
/** More than any record may have; what is below it and still too large is refused by the producer. */
const MAX_LINE_BYTES = 134_217_728
const PROGRESS_EVERY_MS = 500

/** Sends lines as records, as fast as the producer takes them; a line that fails stops no other. */
export class LineSender {
  readonly #terminal: Terminal
  readonly #producer: Producer
  readonly #topic: RawTopic
  readonly #parse: LineParser
  readonly #failures: LineFailure[] = []
  #line = 0
  #acknowledged = 0
  #failed = 0
  #progressMs = performance.now()
  #outstanding = 0
  #tellIdle = (): void => {}
  readonly #acknowledge = (): void => {
    this.#acknowledged++
    this.#settled()
  }

  constructor(terminal: Terminal, producer: Producer, topic: RawTopic, parse: LineParser) {
    this.#terminal = terminal
    this.#producer = producer
    this.#topic = topic
    this.#parse = parse
  }

  get report(): SendReport {
    const failures = this.#failures.toSorted((a, b) => a.line - b.line)
    return { acknowledged: this.#acknowledged, failed: this.#failed, failures }
  }

  /** Until the source ends or the signal comes. */
  async run(source: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    for await (const lines of linesOf(source, MAX_LINE_BYTES)) {
      for (const line of lines) {
        if (signal.aborted) break
        this.#line++
        if (this.#producer.throttled) await this.#producer.ready(signal)
        if (line === undefined) this.#fail(this.#line, `it is longer than ${figure(MAX_LINE_BYTES)} bytes`)
        else this.#send(line)
      }
      if (signal.aborted) break
      this.#tellProgress()
    }
  }

  /** Waits until it is known of every record that was sent what became of it. */
  async finish(): Promise<void> {
    await this.#producer.flush()
    // What still waited for room was not accepted yet, and is nothing to flush.
    if (this.#outstanding > 0) await new Promise<void>((resolve) => (this.#tellIdle = resolve))
  }

  #settled(): void {
    if (--this.#outstanding === 0) this.#tellIdle()
  }

  #send(line: Buffer): void {
    const number = this.#line
    try {
      const sent = this.#producer.send(this.#topic, this.#parse(line))
      this.#outstanding++
      sent.then(this.#acknowledge, (error: unknown) => {
        this.#fail(number, describeError(error))
        this.#settled()
      })
    } catch (error) {
      this.#fail(number, describeError(error))
    }
  }

  #fail(line: number, error: string): void {
    this.#failed++
    if (this.#failures.length >= MAX_FAILURES) return
    this.#failures.push({ line, error })
    this.#terminal.note(`line ${line}: ${error}`)
    if (this.#failures.length === MAX_FAILURES) this.#terminal.note('more that fail are only counted')
  }

  #tellProgress(): void {
    if (performance.now() - this.#progressMs < PROGRESS_EVERY_MS) return
    this.#progressMs = performance.now()
    this.#terminal.progress(`sending: ${counted(this.#acknowledged, 'record')} acknowledged`)
  }
}
