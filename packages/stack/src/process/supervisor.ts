import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { StackError } from '../errors.ts'
import { LogFile } from '../machine/log-file.ts'
import type { ProcessEvent, ProcessSpec, ProcessStatus } from './process-spec.ts'
import { SupervisedProcess } from './supervised-process.ts'

/** What a supervisor takes. */
export interface SupervisorOptions {
  /** Where the processes' output goes, one file each. */
  readonly logDir: string
  /** Called with each event of its processes. */
  readonly onEvent?: (event: ProcessEvent) => void
}

const rotateEveryMs = 10_000

/** What `inspect()` of a supervisor returns. */
export interface SupervisorState {
  /** It takes no more processes. */
  readonly closed: boolean
  /** In the order in which they were added. */
  readonly processes: readonly ProcessStatus[]
}

/**
 * Keeps processes running: servers and applications alike. Each is in a session of its own and ends with us, also when
 * we are killed. {@link Supervisor.close} stops them in the reverse of the order in which they were added.
 */
export class Supervisor implements AsyncDisposable {
  readonly #logDir: string
  readonly #processes = new Map<string, SupervisedProcess>()
  readonly #listeners = new Set<(event: ProcessEvent) => void>()
  readonly #rotation: NodeJS.Timeout
  #closed = false

  constructor({ logDir, onEvent }: SupervisorOptions) {
    this.#logDir = logDir
    if (onEvent) this.#listeners.add(onEvent)
    mkdirSync(logDir, { recursive: true })
    this.#rotation = setInterval(() => this.#rotate(), rotateEveryMs)
    this.#rotation.unref()
  }

  /** Takes a process in, not started yet. A name that ended may be given anew. */
  add(spec: ProcessSpec): SupervisedProcess {
    if (this.#closed) throw new StackError('closed', 'the supervisor is closed', 'start a new stack')
    const known = this.#processes.get(spec.name)
    if (known && known.state !== 'stopped' && known.state !== 'failed') {
      throw new StackError('option_invalid', `a process named ${spec.name} runs already`, 'choose another name')
    }
    const log = new LogFile(join(this.#logDir, `${spec.name}.log`))
    const process = new SupervisedProcess(spec, log, (event) => this.#emit(event))
    this.#processes.delete(spec.name)
    this.#processes.set(spec.name, process)
    return process
  }

  /** Takes a process in and starts it; resolves when it is ready. */
  async start(spec: ProcessSpec): Promise<SupervisedProcess> {
    const process = this.add(spec)
    await process.start()
    return process
  }

  /** The process of this name; undefined: there is none. */
  get(name: string): SupervisedProcess | undefined {
    return this.#processes.get(name)
  }

  /** In the order in which they were added. */
  statuses(): ProcessStatus[] {
    return Array.from(this.#processes.values(), (process) => process.status())
  }

  /** Listens to all processes; returns what ends the listening. */
  onEvent(listener: (event: ProcessEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  inspect(): SupervisorState {
    return { closed: this.#closed, processes: this.statuses() }
  }

  /**
   * Stops every process, the last added first.
   * @param timeoutMs instead of each one's own stop timeout; 0 kills at once.
   */
  async close(timeoutMs?: number): Promise<void> {
    this.#closed = true
    clearInterval(this.#rotation)
    if (timeoutMs === 0) {
      await Promise.all(Array.from(this.#processes.values(), (process) => process.stop(0)))
      return
    }
    for (const process of [...this.#processes.values()].reverse()) await process.stop(timeoutMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #rotate(): void {
    for (const process of this.#processes.values()) {
      try {
        process.log.rotate()
      } catch (error) {
        globalThis.process.emitWarning(`The log of ${process.name} could not be rotated: ${String(error)}`)
      }
    }
  }

  #emit(event: ProcessEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : new Error(String(error)))
      }
    }
  }
}
