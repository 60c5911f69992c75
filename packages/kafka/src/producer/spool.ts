import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { appendFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ConfigError, InvariantError, messageOf } from '@sluice/flow'
import type { DeadLetterRecord } from '../failure/dead-letter-writer.ts'

interface Line {
  readonly topic: string
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, value: string | null])[]
  readonly timestampMs: number | undefined
}

/** Spools of this process that are in use: those of others with our pid are from a process that is gone. */
const inUse = new Set<string>()
const suffix = '.spool'

/**
 * Dead letters that could not be written, kept on disk until a producer starts again: one file of JSON lines a
 * producer, named by the process that has it. Files of processes that are gone are taken over.
 */
export class Spool {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #name = `${process.pid}-${randomUUID()}`
  readonly #taken: string[] = []
  #bytes = 0
  #appending: Promise<void> = Promise.resolve()

  private constructor(folder: string, maxBytes: number) {
    this.#folder = folder
    this.#maxBytes = maxBytes
    inUse.add(this.#name)
  }

  /** @throws ConfigError where the folder cannot be used */
  static async open(folder: string, maxBytes: number): Promise<Spool> {
    const spool = new Spool(folder, maxBytes)
    try {
      await mkdir(folder, { recursive: true })
      await spool.#takeOver()
      return spool
    } catch (error) {
      spool.close()
      throw new ConfigError('deadLetters.spoolDir', folder, `a folder that can be written (${messageOf(error)})`)
    }
  }

  /** Files of earlier processes, to be sent and then removed. */
  get taken(): readonly string[] {
    return this.#taken
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many of them are on the disk now; fewer than all: it is full. @throws errors of the file system */
  async append(letters: readonly DeadLetterRecord[]): Promise<number> {
    let text = ''
    let count = 0
    for (const letter of letters) {
      const line = `${JSON.stringify(toLine(letter))}\n`
      if (this.#bytes + line.length > this.#maxBytes) break
      this.#bytes += line.length
      text += line
      count++
    }
    const path = this.#path(this.#name)
    const before = this.#appending
    const appended = before.then(() => (text === '' ? undefined : appendFile(path, text, { flush: true })))
    this.#appending = appended.catch(() => {})
    await appended
    return count
  }

  /** What is in a file that was taken over; the last line of one whose process was killed may be torn: left out. */
  async *read(name: string): AsyncGenerator<DeadLetterRecord, void, undefined> {
    const lines = createInterface({ input: createReadStream(this.#path(name)), crlfDelay: Infinity })
    for await (const line of lines) {
      const letter = fromLine(line)
      if (letter) yield letter
    }
  }

  async remove(name: string): Promise<void> {
    const path = this.#path(name)
    const { size } = await stat(path)
    await rm(path)
    this.#bytes -= size
    inUse.delete(name)
  }

  /** Leaves its files for the next start. */
  close(): void {
    inUse.delete(this.#name)
    for (const name of this.#taken) inUse.delete(name)
  }

  async #takeOver(): Promise<void> {
    for (const file of await readdir(this.#folder)) {
      if (!file.endsWith(suffix) || isHeld(file.slice(0, -suffix.length))) continue
      const name = `${process.pid}-${randomUUID()}`
      try {
        await rename(join(this.#folder, file), this.#path(name))
      } catch {
        // Another one was faster.
        continue
      }
      inUse.add(name)
      this.#taken.push(name)
      this.#bytes += (await stat(this.#path(name))).size
    }
  }

  #path(name: string): string {
    return join(this.#folder, name + suffix)
  }
}

function isHeld(name: string): boolean {
  const pid = Number.parseInt(name, 10)
  if (pid === process.pid) return inUse.has(name)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function toLine({ topic, partition, key, value, headers, timestampMs }: DeadLetterRecord): Line {
  if (!Array.isArray(headers)) throw new InvariantError('The headers of a dead letter are pairs')
  const pairs = headers as readonly (readonly [string, string | Uint8Array | null])[]
  return {
    topic,
    partition,
    key: key && key.toString('base64'),
    value: value && value.toString('base64'),
    headers: pairs.map(([name, content]) => [name, content === null ? null : Buffer.from(content).toString('base64')]),
    timestampMs,
  }
}

function fromLine(text: string): DeadLetterRecord | undefined {
  try {
    const { key, value, headers, timestampMs, ...place } = JSON.parse(text) as Line
    return {
      ...place,
      key: key === null ? null : Buffer.from(key, 'base64'),
      value: value === null ? null : Buffer.from(value, 'base64'),
      headers: headers.map(([name, content]) => [name, content === null ? null : Buffer.from(content, 'base64')]),
      ...(timestampMs !== undefined && { timestampMs }),
    }
  } catch {
    return undefined
  }
}
