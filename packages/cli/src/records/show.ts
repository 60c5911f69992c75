import type { Kafka, Reader, ReaderOptions } from '@sluice/kafka'
import { counted, figure } from '../output/figures.ts'
import { printable } from '../output/printable.ts'
import type { Terminal } from '../terminal.ts'
import type { RecordFormat } from './formats.ts'
import { Newest } from './newest.ts'
import type { RawTopic } from './raw-topic.ts'
import type { RawRecord } from './record-text.ts'
import { type Ends, hasReached, isBefore } from './until.ts'

type RawReader = Reader<RawTopic>

export interface ShowOptions {
  readonly read: ReaderOptions<RawTopic>
  readonly format: RecordFormat
  /** Undefined: all. */
  readonly matches: ((record: RawRecord) => boolean) | undefined
  /** Of those that match. */
  readonly limit: number
  /** Where to stop in each partition; undefined: at its end. */
  readonly until?: Ends | undefined
  readonly signal: AbortSignal
}

export interface Shown {
  readonly read: number
  readonly shown: number
}

/** What is written at once: enough to cost little, not so much that it weighs. */
const CHUNK_CHARACTERS = 131_072
const TELL_TROUBLE_EVERY_MS = 5_000
const PROGRESS_AFTER_MS = 1_500
const PROGRESS_EVERY_MS = 500

/** Writes records out as they are read, until the end, the limit or the signal. */
export async function showRecords(terminal: Terminal, kafka: Kafka, options: ShowOptions): Promise<Shown> {
  const { format, matches, limit } = options
  const counts = { read: 0, shown: 0 }
  const chunk = new Chunk(terminal)
  await eachBatch(terminal, kafka, options, async (records) => {
    for (const record of records) {
      if (counts.shown === limit) break
      counts.read++
      if (matches && !matches(record)) continue
      counts.shown++
      chunk.add(format(record))
      if (chunk.isFull) await chunk.write()
    }
    await chunk.write()
    return counts.shown < limit
  })
  return counts
}

/**
 * Writes the newest `count` records of the topic, the oldest of them first. Returns where reading goes on.
 * @param options.limit how many of these at most
 */
export async function showNewest(terminal: Terminal, kafka: Kafka, count: number, options: ShowOptions) {
  const { format, matches, limit } = options
  const newest = new Newest(count)
  let read = 0
  const reader = await eachBatch(
    terminal,
    kafka,
    { ...options, read: { ...options.read, follow: false } },
    (records) => {
      for (const record of records) {
        read++
        const { timestampMs, partition, offset } = record
        if (!matches || matches(record)) newest.add({ timestampMs, partition, offset, text: format(record) })
      }
      return true
    },
  )
  const texts = newest.texts().slice(0, limit)
  const chunk = new Chunk(terminal)
  for (const text of texts) {
    chunk.add(text)
    if (chunk.isFull) await chunk.write()
  }
  await chunk.write()
  // Each partition was read for its newest: without a filter that is nobody's concern.
  return { read: matches ? read : texts.length, shown: texts.length, offsets: reader.positions() }
}

/** Until the work says false, the end, or the signal. */
async function eachBatch(
  terminal: Terminal,
  kafka: Kafka,
  { read, until, signal }: ShowOptions,
  work: (records: readonly RawRecord[]) => boolean | Promise<boolean>,
): Promise<RawReader> {
  const reader = await kafka.reader(read)
  tellTrouble(terminal, reader)
  const onAbort = (): void => void reader.close()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const progress = new Progress(terminal, reader)
    if (signal.aborted) return reader
    for await (const records of reader.batches()) {
      if (!(await work(until === undefined ? records : records.filter(isBefore(until))))) break
      progress.tell(records.length)
      if (until !== undefined && hasReached(until, reader.positions())) break
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    await reader.close()
  }
  return reader
}

function tellTrouble(terminal: Terminal, reader: RawReader): void {
  let toldMs = -Infinity
  reader.on('error', ({ error }) => {
    if (performance.now() - toldMs < TELL_TROUBLE_EVERY_MS) return
    toldMs = performance.now()
    terminal.note(printable(`waiting: ${error instanceof Error ? error.message : String(error)}`))
  })
  reader.on('unreadable', ({ error }) => terminal.note(`skipped: ${error.message}`))
  reader.on('moved', ({ partition, from, offset }) => {
    terminal.note(`partition ${partition} goes on at offset ${offset}: ${from} is no longer in its log`)
  })
}

/** Of reading to an end: how much is left, once it takes long. */
class Progress {
  readonly #terminal: Terminal
  readonly #reader: RawReader
  #read = 0
  #toldMs = performance.now() + PROGRESS_AFTER_MS

  constructor(terminal: Terminal, reader: RawReader) {
    this.#terminal = terminal
    this.#reader = reader
  }

  tell(read: number): void {
    this.#read += read
    if (performance.now() - this.#toldMs < PROGRESS_EVERY_MS) return
    const { left } = this.#reader.inspect()
    if (left === null) return
    this.#toldMs = performance.now()
    this.#terminal.progress(`reading: ${figure(this.#read)} of about ${counted(this.#read + left, 'record')}`)
  }
}

/** Gathers what is written at once. */
class Chunk {
  readonly #terminal: Terminal
  #text = ''
  #buffers: Buffer[] = []
  #bytes = 0

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  get isFull(): boolean {
    return this.#text.length > CHUNK_CHARACTERS || this.#bytes > CHUNK_CHARACTERS
  }

  add(part: string | Buffer): void {
    if (typeof part === 'string') {
      this.#text += part
      return
    }
    this.#buffers.push(part)
    this.#bytes += part.length
  }

  async write(): Promise<void> {
    const [text, buffers] = [this.#text, this.#buffers]
    this.#text = ''
    this.#buffers = []
    this.#bytes = 0
    if (text !== '') await this.#terminal.stream(text)
    if (buffers.length > 0) await this.#terminal.stream(Buffer.concat(buffers))
  }
}
