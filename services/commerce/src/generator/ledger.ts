import { appendFileSync, closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync, fstatSync } from 'node:fs'
import { dirname } from 'node:path'

const READ_BYTES = 1 << 20
const NEWLINE = 10

/**
 * The ids that Kafka has acknowledged, one a line, in the order of their acknowledgement. Those of one turn of the event
 * loop are written together, before anything else happens: what is written survives a kill of the process (not a crash
 * of the machine). A ledger that is there already is continued; a line that a kill cut short is taken out.
 */
export class Ledger implements Disposable {
  readonly path: string
  readonly #fd: number
  #pending: string[] = []
  #scheduled: NodeJS.Immediate | undefined
  #lines: number
  #failure: Error | undefined

  constructor(path: string) {
    this.path = path
    mkdirSync(dirname(path), { recursive: true })
    this.#fd = openSync(path, 'a+')
    const { lines, bytes } = completeLines(this.#fd)
    if (bytes < fstatSync(this.#fd).size) ftruncateSync(this.#fd, bytes)
    this.#lines = lines
  }

  /** Ids in the ledger, with those that are about to be written. */
  get lines(): number {
    return this.#lines
  }

  /** @throws what made an earlier write fail: a ledger with a hole would be worth nothing. */
  append(id: string): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#pending.push(id)
    this.#lines++
    this.#scheduled ??= setImmediate(() => this.#flushLater())
  }

  flush(): void {
    clearImmediate(this.#scheduled)
    this.#scheduled = undefined
    if (this.#failure !== undefined) throw this.#failure
    if (this.#pending.length === 0) return
    const text = `${this.#pending.join('\n')}\n`
    this.#pending = []
    try {
      appendFileSync(this.#fd, text)
    } catch (error) {
      this.#failure = error as Error
      throw error
    }
  }

  /** Everything is on the disk when it returns. */
  close(): void {
    try {
      this.flush()
      fsyncSync(this.#fd)
    } finally {
      closeSync(this.#fd)
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #flushLater(): void {
    try {
      this.flush()
    } catch {
      // Kept in #failure; the next append tells it.
    }
  }
}

function completeLines(fd: number): { lines: number; bytes: number } {
  const size = fstatSync(fd).size
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  let lines = 0
  let bytes = 0
  for (let at = 0; at < size;) {
    const read = readSync(fd, buffer, 0, READ_BYTES, at)
    for (let index = 0; index < read; index++) {
      if (buffer[index] !== NEWLINE) continue
      lines++
      bytes = at + index + 1
    }
    at += read
    if (read === 0) break
  }
  return { lines, bytes }
}
