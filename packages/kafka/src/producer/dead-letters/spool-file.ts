import type { FileHandle } from 'node:fs/promises'
import { stat } from 'node:fs/promises'
import { createPrivate } from '../../private-folder.ts'

/** A file of whole lines. What cannot be written whole is cut off again. */
export class SpoolFile {
  readonly name: string
  readonly #path: string
  readonly #handle: FileHandle
  #bytes = 0
  #isTorn = false

  private constructor(name: string, path: string, handle: FileHandle) {
    this.name = name
    this.#path = path
    this.#handle = handle
  }

  static async create(name: string, path: string): Promise<SpoolFile> {
    return new SpoolFile(name, path, await createPrivate(path))
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A line could not be cut off again: it must stay the last one. */
  get isTorn(): boolean {
    return this.#isTorn
  }

  /** How many lines are on the disk now, from the first on, and why not all. */
  async append(lines: readonly Buffer[]): Promise<{ readonly written: number; readonly error: unknown }> {
    const startBytes = this.#bytes
    let written = 0
    let error: unknown
    try {
      for (const line of lines) {
        await this.#handle.appendFile(line)
        this.#bytes += line.length
        written++
      }
    } catch (why) {
      error = why
      await this.#cut()
    }
    if (written === 0) return { written, error }
    try {
      await this.#handle.sync()
    } catch (why) {
      this.#bytes = startBytes
      await this.#cut()
      return { written: 0, error: why }
    }
    return { written, error }
  }

  /** Whether it still has its name: another process takes over the files of one that was frozen for long. */
  async isInPlace(): Promise<boolean> {
    const [own, found] = await Promise.all([this.#handle.stat(), stat(this.#path).catch(() => undefined)])
    return found !== undefined && found.ino === own.ino && found.dev === own.dev
  }

  /** Shows that its process lives. */
  async touch(): Promise<void> {
    const now = new Date()
    await this.#handle.utimes(now, now)
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  async #cut(): Promise<void> {
    try {
      await this.#handle.truncate(this.#bytes)
    } catch {
      this.#isTorn = true
    }
  }
}
