import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GroupMemberJob } from '../system/programs/group-member.ts'
import { Child, fromSource } from '../system/support/child.ts'
import { nowMs } from './feed.ts'

/** What a member wrote down, at once, of its handler and of its group. */
export interface MemberEvent {
  readonly process: string
  readonly what: 'begin' | 'end' | 'assigned' | 'revoked' | 'lost' | 'commit'
  readonly partition: number
  readonly offset: number
  readonly atMs: number
}

/** A process was killed, or stopped and let go on again. */
export interface MemberFault {
  readonly process: string
  readonly fromMs: number
  /** Infinity: killed. */
  readonly toMs: number
}

/** Processes of one consumer group, and what was done to them. */
export class Members implements AsyncDisposable {
  readonly faults: MemberFault[] = []
  readonly #job: Omit<GroupMemberJob, 'name' | 'log'>
  readonly #folder: string
  readonly #alive = new Map<string, { readonly child: Child; readonly process: string }>()
  /** Ended although nobody told them to. */
  readonly #deserted: string[] = []
  #starts = 0

  constructor(job: Omit<GroupMemberJob, 'name' | 'log'>, folder: string) {
    this.#job = job
    this.#folder = folder
  }

  get names(): readonly string[] {
    return [...this.#alive.keys()]
  }

  /** Resolves when it is about to join: from then on it can be told to leave. */
  async start(name: string): Promise<void> {
    const process = `${name}-${this.#starts++}`
    const job: GroupMemberJob = { ...this.#job, name, log: join(this.#folder, `${process}.log`) }
    const program = join(import.meta.dirname, '..', 'system', 'programs', 'group-member.ts')
    const child = new Child(...fromSource(program, [JSON.stringify(job)]))
    this.#alive.set(name, { child, process })
    child.ended.then(
      ({ code, signal, stderr }) => {
        if (this.#alive.get(name)?.child !== child) return
        this.#alive.delete(name)
        this.#deserted.push(`${process} ended by itself with ${signal ?? code}: ${stderr.slice(-500)}`)
      },
      (error: unknown) => this.#deserted.push(`${process}: ${String(error)}`),
    )
    await child.line((line) => line === 'started')
  }

  /** Ends in order. */
  async leave(name: string): Promise<void> {
    const { child, process } = this.#take(name)
    const { code, signal, stderr } = await child.kill('SIGTERM')
    if (code !== 0) this.#deserted.push(`${process} did not leave in order but with ${signal ?? code}: ${stderr}`)
  }

  async kill(name: string): Promise<void> {
    const { child, process } = this.#take(name)
    await child.kill('SIGKILL')
    this.faults.push({ process, fromMs: nowMs(), toMs: Infinity })
  }

  /** Stops it for as long as `meanwhile` takes. */
  async freeze(name: string, meanwhile: () => Promise<void>): Promise<void> {
    const { child, process } = this.#alive.get(name)!
    child.process.kill('SIGSTOP')
    const fromMs = nowMs()
    await meanwhile()
    this.faults.push({ process, fromMs, toMs: nowMs() })
    child.process.kill('SIGCONT')
  }

  async leaveAll(): Promise<readonly string[]> {
    await Promise.all(this.names.map((name) => this.leave(name)))
    return this.#deserted
  }

  /** For who looks into the logs later. */
  noteFaults(): void {
    writeFileSync(join(this.#folder, 'faults.json'), JSON.stringify(this.faults))
  }

  /** All that was written down so far, in the order of time. */
  events(): readonly MemberEvent[] {
    const files = readdirSync(this.#folder).filter((file) => file.endsWith('.log'))
    const events = files.flatMap((file) => readEvents(file.slice(0, -4), join(this.#folder, file)))
    return events.sort((a, b) => a.atMs - b.atMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const children = Array.from(this.#alive.values(), ({ child }) => child)
    this.#alive.clear()
    for (const child of children) await child[Symbol.asyncDispose]()
  }

  #take(name: string): { readonly child: Child; readonly process: string } {
    const member = this.#alive.get(name)!
    this.#alive.delete(name)
    return member
  }
}

/** A last line that is cut is left out. */
function readEvents(process: string, file: string): MemberEvent[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [what, partition, offset, atMs] = line.split(' ') as [MemberEvent['what'], string, string, string]
    return { process, what, partition: Number(partition), offset: Number(offset), atMs: Number(atMs) }
  })
}
