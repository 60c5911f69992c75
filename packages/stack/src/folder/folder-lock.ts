import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StackError, folderError, systemErrorCode } from '../errors.ts'
import { type ProcessIdentity, identify, isAlive } from '../machine/identity.ts'

interface Holder extends ProcessIdentity {
  /** Tells locks of one process apart. */
  readonly id: string
  readonly released: boolean
}

/**
 * At most one process holds a folder, also when holders are killed and several want to follow at once.
 *
 * The lock is the file `lock.<generation>` with the highest generation; it is held while the process it names is alive.
 * Whoever follows a dead holder creates the next generation by link(2), which exactly one process can do. Lower
 * generations are removed, the highest never: so a process that was slow finds a higher one than its own and yields.
 */
export class FolderLock {
  readonly #dir: string
  readonly #generation: number
  readonly #self: Omit<Holder, 'released'>

  private constructor(dir: string, generation: number, self: ProcessIdentity) {
    this.#dir = dir
    this.#generation = generation
    this.#self = { ...self, id: randomUUID() }
  }

  /** Takes the folder, or throws `already_running` with the `pid` of the process that holds it. */
  static acquire(dir: string): FolderLock {
    const self = identify(process.pid)
    if (!self) throw new Error('this process cannot find itself in the process table')
    for (;;) {
      const { generation, holder } = current(dir)
      if (holder) throw alreadyRunning(dir, holder)
      const lock = new FolderLock(dir, generation + 1, self)
      if (lock.#claim()) return lock
    }
  }

  /** Who holds the folder now. */
  static holder(dir: string): ProcessIdentity | undefined {
    return current(dir).holder
  }

  /** Whether it still stands: not once its folder was removed, nor when another one is in the place of that. */
  get isHeld(): boolean {
    try {
      const { id, released } = JSON.parse(readFileSync(this.#path, 'utf8')) as Holder
      return id === this.#self.id && !released
    } catch (error) {
      // What cannot be read at the moment is not gone.
      return !['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')
    }
  }

  release(): void {
    if (!this.isHeld) return
    // Emptied rather than removed: the generation must never start again while somebody slow looks on.
    this.#write(this.#path, { ...this.#self, released: true })
  }

  get #path(): string {
    return join(this.#dir, `lock.${this.#generation}`)
  }

  #claim(): boolean {
    const draft = join(this.#dir, `lock-draft.${randomUUID()}`)
    this.#write(draft, { ...this.#self, released: false })
    try {
      linkSync(draft, this.#path)
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return false
      throw error
    } finally {
      rmSync(draft, { force: true })
    }
    const generations = listGenerations(this.#dir)
    if (Math.max(...generations) > this.#generation) {
      rmSync(this.#path, { force: true })
      return false
    }
    for (const old of generations) if (old < this.#generation) rmSync(join(this.#dir, `lock.${old}`), { force: true })
    return true
  }

  #write(path: string, holder: Holder): void {
    const draft = `${path}.${randomUUID()}`
    writeFileSync(draft, JSON.stringify(holder), { mode: 0o644, flag: 'wx' })
    renameSync(draft, path)
  }
}

function current(dir: string): { readonly generation: number; readonly holder: ProcessIdentity | undefined } {
  const generation = Math.max(0, ...listGenerations(dir))
  return { generation, holder: generation === 0 ? undefined : readHolder(join(dir, `lock.${generation}`)) }
}

function listGenerations(dir: string): number[] {
  try {
    return readdirSync(dir)
      .map((name) => /^lock\.(\d+)$/.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw folderError(dir, error)
  }
}

function readHolder(path: string): ProcessIdentity | undefined {
  let holder: Holder
  try {
    holder = JSON.parse(readFileSync(path, 'utf8')) as Holder
  } catch {
    // Removed by a successor meanwhile, or cut short by a full disk: nobody holds it.
    return undefined
  }
  return !holder.released && isAlive(holder) ? { pid: holder.pid, startedAt: holder.startedAt } : undefined
}

function alreadyRunning(dir: string, holder: ProcessIdentity): StackError {
  return new StackError(
    'already_running',
    `process ${holder.pid} runs servers in ${dir} already`,
    'use those (`sluice status`), end them (`sluice down`), or choose another folder (SLUICE_DATA_DIR)',
    { facts: { pid: holder.pid, dataDir: dir } },
  )
}
