import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { StackError } from '../errors.ts'
import type { Account } from '../host/account.ts'
import { type RestartBackOff, defaultBackOff, restartDelayMs } from './back-off.ts'
import { GuardedProcess, type ProcessExit } from './guarded-process.ts'
import type { LogFile } from './log-file.ts'

export interface ProcessSpec {
  /** Unique within its supervisor; also the name of its log file. */
  readonly name: string
  /** The program. Default: this Node. */
  readonly command?: string
  readonly args?: readonly string[]
  /** The whole environment. Default: ours. */
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Sent to stop it. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals
  /** How long a stop may take before KILL. Default 10,000 ms. */
  readonly stopTimeoutMs?: number
  /** How long it may take to stop once we are gone. Default: the stop timeout. */
  readonly orphanGraceMs?: number
  /** Whether it is started again when it ends unasked: always, only with a failure, or never. Default never. */
  readonly restart?: 'always' | 'on-failure' | 'never'
  readonly backOff?: Partial<RestartBackOff>
  /** Whether it is a Node process that exchanges messages with us. Default false. */
  readonly ipc?: boolean
  /** Where people find it, shown by `status`. */
  readonly url?: string
  /** Resolves when it can be used. Default: it is ready once it runs. */
  readonly ready?: (attempt: ReadinessAttempt) => Promise<void>
  /** How long it may take to be ready. Default 60,000 ms. */
  readonly readyTimeoutMs?: number
  /** Who it runs as. Default: as we do. */
  readonly account?: Account | undefined
}

export interface ReadinessAttempt {
  readonly pid: number
  /** Its output of this run. */
  readonly output: () => string
  /** Aborted when it ended or the time is over. */
  readonly signal: AbortSignal
}

/**
 * ```
 * stopped -> starting -> running -> (ends unasked) -> backing_off -> starting ...
 *               |           |                                |
 *               v           +-> stopping -> stopped <--------+ stop()
 *            failed  (ended before it was ever ready, or ended with a failure and is not restarted)
 * ```
 */
export type ProcessState = 'stopped' | 'starting' | 'running' | 'backing_off' | 'stopping' | 'failed'

export interface ProcessStatus {
  readonly name: string
  readonly pid: number | null
  readonly state: ProcessState
  /** How often it was started again. */
  readonly restarts: number
  readonly url?: string
}

export type ProcessEvent =
  | { readonly type: 'state'; readonly name: string; readonly state: ProcessState }
  | { readonly type: 'started'; readonly name: string; readonly pid: number }
  | {
      readonly type: 'exited'
      readonly name: string
      readonly pid: number
      readonly exit: ProcessExit
      readonly asked: boolean
    }
  | { readonly type: 'restarting'; readonly name: string; readonly delayMs: number; readonly restarts: number }
  | { readonly type: 'message'; readonly name: string; readonly message: unknown }

/** One process that is kept running as its spec says. */
export class SupervisedProcess {
  readonly spec: ProcessSpec
  readonly log: LogFile
  readonly #emit: (event: ProcessEvent) => void
  readonly #backOff: RestartBackOff
  #state: ProcessState = 'stopped'
  #child: GuardedProcess | undefined
  #restarts = 0
  #starts = 0
  #stop = new AbortController()
  #life: Promise<void> = Promise.resolve()

  constructor(spec: ProcessSpec, log: LogFile, emit: (event: ProcessEvent) => void) {
    this.spec = spec
    this.log = log
    this.#emit = emit
    this.#backOff = { ...defaultBackOff, ...spec.backOff }
  }

  get name(): string {
    return this.spec.name
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get state(): ProcessState {
    return this.#state
  }

  status(): ProcessStatus {
    const { url } = this.spec
    const base = { name: this.name, pid: this.pid ?? null, state: this.#state, restarts: this.#restarts }
    return url === undefined ? base : { ...base, url }
  }

  /** Starts it and waits until it is ready. Starts nothing where it runs already. */
  async start(): Promise<void> {
    if (this.#isLive()) return
    this.#stop = new AbortController()
    if (this.#starts++ > 0) this.#restarts++
    const ready = Promise.withResolvers<void>()
    this.#life = this.#live(ready)
    await ready.promise
  }

  /** Sends the stop signal and waits for the end, with KILL once the stop has taken too long. It is not restarted. */
  async stop(timeoutMs: number = this.spec.stopTimeoutMs ?? 10_000): Promise<void> {
    if (!this.#isLive()) return
    this.#stop.abort()
    if (this.#child) this.#setState('stopping')
    this.#child?.kill(timeoutMs > 0 ? (this.spec.stopSignal ?? 'SIGTERM') : 'SIGKILL')
    const late = new AbortController()
    const killed = sleep(timeoutMs, undefined, { signal: late.signal }).then(
      () => this.#child?.kill('SIGKILL'),
      () => undefined,
    )
    await this.#life
    late.abort()
    await killed
  }

  /** Sends a signal to the process itself. What follows is up to its restart rule. False where it does not run. */
  kill(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) ?? false
  }

  /** Kills it with SIGKILL and resolves when this run is over. What follows is up to its restart rule. */
  async killNow(): Promise<void> {
    const child = this.#child
    child?.kill('SIGKILL')
    await child?.exited
  }

  /** Sends a message to a process with `ipc`. False where it does not run. */
  send(message: unknown): boolean {
    return this.#child?.send(message) ?? false
  }

  /** Resolves once it has ended and will not be restarted. */
  async ended(): Promise<void> {
    await this.#life
  }

  #isLive(): boolean {
    return this.#state !== 'stopped' && this.#state !== 'failed'
  }

  async #live(ready: PromiseWithResolvers<void>): Promise<void> {
    let failures = 0
    let wasReady = false
    this.#setState('starting')
    for (;;) {
      const startedMs = performance.now()
      const end = await this.#runOnce(() => {
        wasReady = true
        ready.resolve()
      })
      failures = performance.now() - startedMs >= this.#backOff.resetAfterMs ? 1 : failures + 1
      if (this.#stop.signal.aborted || !wasReady || !this.#wantsRestart(end)) {
        this.#setState(this.#stop.signal.aborted || (wasReady && !isFailure(end)) ? 'stopped' : 'failed')
        ready.reject(end instanceof Error ? end : this.#startError('ended before it was ready'))
        ready.promise.catch(() => {})
        return
      }
      if (!(await this.#waitBeforeRestart(failures))) return this.#setState('stopped')
    }
  }

  async #runOnce(onReady: () => void): Promise<ProcessExit | Error> {
    const since = this.log.size()
    let child: GuardedProcess
    try {
      child = this.#child = await this.#spawn()
    } catch (error) {
      return error as Error
    }
    this.#emit({ type: 'started', name: this.name, pid: child.pid })
    if (this.spec.ipc) child.onMessage((message) => this.#emit({ type: 'message', name: this.name, message }))
    // A stop that came while it was being spawned.
    if (this.#stop.signal.aborted) child.kill(this.spec.stopSignal ?? 'SIGTERM')
    const failure = await this.#becomeReady(child, since, onReady)
    const exit = await child.exited
    this.#child = undefined
    this.#emit({ type: 'exited', name: this.name, pid: child.pid, exit, asked: this.#stop.signal.aborted })
    return failure ?? exit
  }

  async #spawn(): Promise<GuardedProcess> {
    const logFd = this.log.open()
    try {
      return await GuardedProcess.spawn({
        name: this.name,
        command: this.spec.command ?? process.execPath,
        args: this.spec.args ?? [],
        cwd: this.spec.cwd ?? process.cwd(),
        env: this.spec.env ?? process.env,
        logFd,
        stopSignal: this.spec.stopSignal ?? 'SIGTERM',
        graceMs: this.spec.orphanGraceMs ?? this.spec.stopTimeoutMs ?? 10_000,
        ipc: this.spec.ipc ?? false,
        account: this.spec.account,
      })
    } finally {
      closeSync(logFd)
    }
  }

  /** Waits until it is ready or has ended. One that is not ready in time is killed. */
  async #becomeReady(child: GuardedProcess, since: number, onReady: () => void): Promise<Error | undefined> {
    const timeoutMs = this.spec.readyTimeoutMs ?? 60_000
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(), timeoutMs)
    const ended = child.exited.then(() => over.abort())
    const attempt = { pid: child.pid, output: () => this.log.readFrom(since), signal: over.signal }
    try {
      await Promise.race([this.spec.ready?.(attempt), ended])
      if (over.signal.aborted) return this.#startError('ended before it was ready', since)
      this.#setState(this.#stop.signal.aborted ? 'stopping' : 'running')
      onReady()
      return undefined
    } catch (error) {
      const isLate = over.signal.aborted && child.kill('SIGKILL')
      if (!isLate) child.kill('SIGKILL')
      return isLate ? this.#lateError(timeoutMs, since, error) : this.#startError('did not become ready', since, error)
    } finally {
      clearTimeout(timer)
    }
  }

  #wantsRestart(end: ProcessExit | Error): boolean {
    const rule = this.spec.restart ?? 'never'
    return rule === 'always' || (rule === 'on-failure' && isFailure(end))
  }

  async #waitBeforeRestart(failures: number): Promise<boolean> {
    const delayMs = restartDelayMs(this.#backOff, failures)
    this.#restarts++
    this.#emit({ type: 'restarting', name: this.name, delayMs, restarts: this.#restarts })
    this.#setState('backing_off')
    try {
      await sleep(delayMs, undefined, { signal: this.#stop.signal })
    } catch {
      return false
    }
    this.#setState('starting')
    return true
  }

  #setState(state: ProcessState): void {
    if (state === this.#state) return
    this.#state = state
    this.#emit({ type: 'state', name: this.name, state })
  }

  #startError(what: string, since = 0, cause?: unknown): StackError {
    const output = this.log.tail(20, since)
    const facts = { process: this.name, logFile: this.log.path, output }
    if (/No space left on device/i.test(output)) {
      const remedy = 'free some space, or set SLUICE_DATA_DIR to a folder on another disk'
      return new StackError('disk_full', `${this.name} ${what}: no space is left on its device`, remedy, {
        cause,
        facts,
      })
    }
    return new StackError('start_failed', `${this.name} ${what}`, `read its log: ${this.log.path}`, { cause, facts })
  }

  #lateError(timeoutMs: number, since: number, cause: unknown): StackError {
    return new StackError(
      'start_timed_out',
      `${this.name} was not ready within ${timeoutMs} ms`,
      `read its log: ${this.log.path}`,
      { cause, facts: { process: this.name, logFile: this.log.path, output: this.log.tail(20, since) } },
    )
  }
}

function isFailure(end: ProcessExit | Error): boolean {
  return end instanceof Error || end.code !== 0
}
