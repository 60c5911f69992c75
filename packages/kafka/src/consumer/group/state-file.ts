import { randomUUID } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { requirePrivateFolder } from '../../private-folder.ts'
import { StateInUseError } from '../errors.ts'

/** A claim takes some milliseconds; a holder that takes longer than all of the tries is frozen. */
const LOCK_TRIES = 250
const LOCK_PAUSE_MS = 20

interface State {
  /** Who the holder is in the group. */
  readonly memberId: string
  /** Members that earlier holders were and that may not have been dismissed yet. */
  readonly former: readonly string[]
  readonly pid: number
  /** With the pid names a process, which a pid alone does not: it is used again. */
  readonly startedAt: string
}

/**
 * The last member id of a consumer, kept on disk so that its successor after a kill can tell the group at once that
 * the old member is gone. One file per cluster, group and instance name, held by one live process at a time.
 */
export class StateFile {
  readonly path: string
  readonly #folder: string
  #state: State | undefined

  constructor(folder: string, clusterId: string, group: string, instanceName: string) {
    this.#folder = folder
    this.path = join(folder, `${[clusterId, group, instanceName].map(encodeURIComponent).join('~')}.json`)
  }

  /**
   * Takes the file over from a holder that is gone.
   * @throws StateInUseError when the holder is alive; ConfigError where others could write to the folder.
   */
  async claim(): Promise<void> {
    await requirePrivateFolder('stateDir', this.#folder)
    await this.#lock()
    try {
      const found = await this.#read()
      if (found !== undefined && isAlive(found)) throw new StateInUseError(this.path, found.pid)
      const all = found === undefined ? [] : [...new Set([...found.former, found.memberId])]
      await this.#replace({ memberId: '', former: all.filter((id) => id !== ''), ...thisProcess() })
    } finally {
      await rm(this.#lockPath, { force: true })
    }
  }

  /** Writes the id down before it joins; returns those to be dismissed first. */
  async begin(memberId: string): Promise<readonly string[]> {
    const former = this.#state?.former ?? []
    await this.#replace({ memberId, former, ...thisProcess() })
    return former
  }

  async dismissed(): Promise<void> {
    if (this.#state !== undefined) await this.#replace({ ...this.#state, former: [] })
  }

  /** The member id in the file where it is not ours: somebody took over. */
  async otherMember(memberId: string): Promise<string | undefined> {
    const found = await this.#read()
    return found !== undefined && found.memberId !== memberId ? found.memberId : undefined
  }

  /** Nobody holds it any longer; it stays where there is a member to dismiss at the next start. */
  async letGo(hasLeft: boolean): Promise<void> {
    const own = this.#state
    this.#state = undefined
    if (own === undefined || (await this.#read())?.memberId !== own.memberId) return
    const former = hasLeft || own.memberId === '' ? own.former : [...own.former, own.memberId]
    if (former.length === 0) return await rm(this.path, { force: true })
    await rename(await this.#draft({ memberId: '', former, ...noProcess }), this.path)
  }

  async #read(path = this.path): Promise<State | undefined> {
    try {
      const state: unknown = JSON.parse(await readFile(path, 'utf8'))
      return isState(state) ? state : undefined
    } catch (error) {
      // A file cut short by a crash holds nothing to dismiss.
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  get #lockPath(): string {
    return `${this.path}.lock`
  }

  /** One at a time looks at the file and replaces it: of many that find the same dead holder one takes over. */
  async #lock(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const draft = await this.#draft({ memberId: '', former: [], ...thisProcess() })
      try {
        // Fails where the file exists.
        return await link(draft, this.#lockPath)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      } finally {
        await rm(draft, { force: true })
      }
      const holder = await this.#read(this.#lockPath)
      const isAbandoned = holder === undefined ? tries >= LOCK_TRIES : !isAlive(holder)
      // Its holder was killed within the milliseconds of a claim, or the machine was, before the file was whole.
      if (isAbandoned) await rm(this.#lockPath, { force: true })
      else if (tries >= LOCK_TRIES) throw new StateInUseError(this.path, holder?.pid ?? 0)
      else await sleep(LOCK_PAUSE_MS)
    }
  }

  async #replace(state: State): Promise<void> {
    await rename(await this.#draft(state), this.path)
    this.#state = state
  }

  async #draft(state: State): Promise<string> {
    const draft = `${this.path}.${randomUUID()}`
    await writeFile(draft, JSON.stringify(state), { mode: 0o600, flag: 'wx' })
    return draft
  }
}

const noProcess: Pick<State, 'pid' | 'startedAt'> = { pid: 0, startedAt: '' }

function isState(value: unknown): value is State {
  if (typeof value !== 'object' || value === null) return false
  const { memberId, former, pid, startedAt } = value as Partial<State>
  return typeof memberId === 'string' && Array.isArray(former) && Number.isInteger(pid) && typeof startedAt === 'string'
}

function thisProcess(): Pick<State, 'pid' | 'startedAt'> {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? '' }
}

function isAlive({ pid, startedAt }: State): boolean {
  return startOf(pid) === startedAt
}

/** When a process started, in whatever form the system has; undefined where there is no such process. */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') return startOnLinux(pid)
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    // ps ends with an error where there is no such process.
    return undefined
  }
}

/** Ticks since boot, and which boot. */
function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold anything; what follows it is the state (3rd field), the start is the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`
  } catch {
    return undefined
  }
}
