import { lutimes, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Clock, ConfigError, systemClock, type Timer } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import type { DeadLetterRecord } from '../../failure/dead-letter-record.ts'
import { SpoolFile } from './spool-file.ts'
import { openOwn, requirePrivateFolder } from '../../private-folder.ts'
import { fromLine, toLine } from './spool-line.ts'
import { heartbeatMs, isHeld, newName } from './spool-owner.ts'

/** What became of letters that were to be kept. */
export interface Kept {
  /** How many are on the disk now, from the first on. */
  readonly letters: number
  /** Why not all; undefined too where the spool is full. */
  readonly error: unknown
}

/** Files of this process that are in use: those of others with our pid are from a process that is gone. */
const inUse = new Set<string>()
const suffix = '.spool'

/**
 * Dead letters that could not be written, kept on disk until a producer starts again: one file of JSON lines per
 * producer, named by the process that has it. Files of processes that are gone are taken over. Only the user that runs
 * this process can read them.
 */
export class Spool {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #clock: Clock
  /** Of those that were taken over, their sizes, by name. */
  readonly #taken = new Map<string, number>()
  #file: SpoolFile | undefined
  /** The same of those that are ours, but are not written to any more. */
  readonly #left = new Map<string, number>()
  #working: Promise<unknown> = Promise.resolve()
  #heartbeat: Timer | undefined
  #isClosed = false

  private constructor(folder: string, maxBytes: number, clock: Clock) {
    this.#folder = folder
    this.#maxBytes = maxBytes
    this.#clock = clock
  }

  /** @throws ConfigError where the folder cannot be used, or is not private */
  static async open(folder: string, maxBytes: number, clock: Clock = systemClock): Promise<Spool> {
    const spool = new Spool(folder, maxBytes, clock)
    try {
      await requirePrivateFolder('deadLetters.spoolDir', folder)
      await spool.takeOver()
    } catch (error) {
      await spool.close()
      if (error instanceof ConfigError) throw error
      const allowed = 'a folder that this process can read and write'
      throw new ConfigError('deadLetters.spoolDir', folder, `${allowed} (${messageOf(error)})`)
    }
    spool.#beat()
    return spool
  }

  /** Files of earlier processes, to be sent and then removed. */
  get taken(): readonly string[] {
    return [...this.#taken.keys()]
  }

  get bytes(): number {
    let bytes = this.#file?.bytes ?? 0
    for (const sizes of [this.#taken, this.#left]) for (const size of sizes.values()) bytes += size
    return bytes
  }

  /** One at a time. Never rejects. */
  append(letters: readonly DeadLetterRecord[]): Promise<Kept> {
    const appended = this.#working.then(() => this.#append(letters))
    this.#working = appended
    return appended
  }

  /** What is in a file that was taken over; a line that is torn, as by a kill, is left out. */
  async *read(name: string): AsyncGenerator<DeadLetterRecord, void, undefined> {
    const handle = await openOwn(this.#path(name))
    if (!handle) return
    const stream = handle.createReadStream()
    try {
      for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
        const letter = fromLine(line)
        if (letter) yield letter
      }
    } finally {
      stream.destroy()
    }
  }

  /** A file that was taken over. */
  async remove(name: string): Promise<void> {
    await rm(this.#path(name), { force: true })
    this.#taken.delete(name)
    inUse.delete(name)
  }

  /** Keeps a file that was taken over for the next start. */
  leave(name: string): void {
    this.#left.set(name, this.#taken.get(name) ?? 0)
    this.#taken.delete(name)
  }

  /** Takes over the files whose processes are gone. True: others are left, whose processes may end without a word. */
  async takeOver(): Promise<boolean> {
    let othersLeft = false
    for (const file of await readdir(this.#folder)) {
      if (!file.endsWith(suffix) || inUse.has(file.slice(0, -suffix.length))) continue
      othersLeft = !(await this.#take(file)) || othersLeft
    }
    return othersLeft
  }

  /** Leaves its files for the next start. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#heartbeat?.cancel()
    await this.#working
    await this.#leaveFile()
    for (const name of [...this.#taken.keys(), ...this.#left.keys()]) inUse.delete(name)
  }

  async #append(letters: readonly DeadLetterRecord[]): Promise<Kept> {
    try {
      const lines = this.#fitting(letters)
      if (lines.length === 0) return { letters: 0, error: undefined }
      for (;;) {
        this.#file ??= await this.#newFile()
        const file = this.#file
        const { written, error } = await file.append(lines)
        const isOurs = await file.isInPlace()
        if (!isOurs || file.isTorn) await this.#leaveFile()
        // The process that took the file over may have read it before these lines: they go to a new file as well.
        if (isOurs) return { letters: written, error }
      }
    } catch (error) {
      return { letters: 0, error }
    }
  }

  #fitting(letters: readonly DeadLetterRecord[]): readonly Buffer[] {
    const lines: Buffer[] = []
    let left = this.#maxBytes - this.bytes
    for (const letter of letters) {
      const line = toLine(letter)
      left -= line.length
      if (left < 0) break
      lines.push(line)
    }
    return lines
  }

  async #newFile(): Promise<SpoolFile> {
    const name = newName()
    inUse.add(name)
    try {
      return await SpoolFile.create(name, this.#path(name))
    } catch (error) {
      inUse.delete(name)
      throw error
    }
  }

  /** Writes to it no more. It stays ours, and counted, where it still has its name. */
  async #leaveFile(): Promise<void> {
    const file = this.#file
    if (!file) return
    this.#file = undefined
    const { name, bytes } = file
    if (bytes === 0) await rm(this.#path(name), { force: true }).catch(() => {})
    else if (await file.isInPlace().catch(() => false)) this.#left.set(name, bytes)
    if (!this.#left.has(name)) inUse.delete(name)
    await file.close().catch(() => {})
  }

  /** False: it is somebody else's. */
  async #take(file: string): Promise<boolean> {
    const before = join(this.#folder, file)
    const handle = await openOwn(before)
    if (!handle) return true
    try {
      const { mtimeMs, size } = await handle.stat()
      if (isHeld(file.slice(0, -suffix.length), mtimeMs, (name) => inUse.has(name))) return false
      const now = new Date()
      // Before it gets its new name, under which others judge it by this time.
      await handle.utimes(now, now)
      const name = newName()
      inUse.add(name)
      try {
        await rename(before, this.#path(name))
        this.#taken.set(name, size)
      } catch {
        // Another one was faster.
        inUse.delete(name)
      }
      return true
    } finally {
      await handle.close()
    }
  }

  #beat(): void {
    if (this.#isClosed) return
    this.#heartbeat = this.#clock.setTimeout(() => {
      const now = new Date()
      // One that cannot be touched can be taken over, which is noticed at the next write.
      void this.#file?.touch().catch(() => {})
      for (const name of [...this.#taken.keys(), ...this.#left.keys()])
        void lutimes(this.#path(name), now, now).catch(() => {})
      this.#beat()
    }, heartbeatMs)
  }

  #path(name: string): string {
    return join(this.#folder, name + suffix)
  }
}
