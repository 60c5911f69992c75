import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { StackError } from '../errors.ts'
import { type RestartBackOff, defaultBackOff, restartDelayMs } from './back-off.ts'
import { GuardedProcess, type ProcessExit } from './guarded-process.ts'
import { HealthWatch } from './health-watch.ts'
import type { LogFile } from '../machine/log-file.ts'
import type { ProcessEvent, ProcessSpec, ProcessState, ProcessStatus, ReadinessAttempt } from './process-spec.ts'

const healthEveryMs = 5_000
const healthTimeoutMs = 3_000

/** One process that is kept running as its spec says. */
export class SupervisedProcess {
  /** What it was made from. */
  readonly spec: ProcessSpec
  /** The file with its output. */
  readonly log: LogFile
  readonly #emit: (event: ProcessEvent) => void
  readonly #backOff: RestartBackOff
  #state: ProcessState = 'stopped'
  #child: GuardedProcess | undefined
  #answers = true
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

  /** As it is now. */
  status(): ProcessStatus {
    const { url } = this.spec
    const base = { name: this.name, pid: this.pid ?? null, state: this.#state, restarts: this.#restarts }
    return { ...base, ...(url !== undefined && { url }), ...(!this.#answers && { answers: false }) }
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
    using _watch = failure === undefined ? this.#watchHealth() : undefined
    const exit = await child.exited
    this.#child = undefined
    this.#answers = true
    this.#emit({ type: 'exited', name: this.name, pid: child.pid, exit, asked: this.#stop.signal.aborted })
    return failure ?? exit
  }

  /** What does not answer is shown and not restarted: it may be frozen on purpose, or the machine too busy. */
  #watchHealth(): HealthWatch | undefined {
    const { name } = this
    const { answers: ask } = this.spec
    const onChange = (answers: boolean): void => {
      this.#answers = answers
      this.#emit({ type: 'health', name, answers })
    }
    return ask && new HealthWatch({ ask, everyMs: healthEveryMs, timeoutMs: healthTimeoutMs, onChange })
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

  /** Waits until it is ready or has ended. One that is not ready in time is killed. Resolves with what went wrong. */
  async #becomeReady(child: GuardedProcess, since: number, onReady: () => void): Promise<Error | undefined> {
    const { ready } = this.spec
    const failure = ready && (await this.#probe(child, since, ready))
    if (failure) return failure
    this.#setState(this.#stop.signal.aborted ? 'stopping' : 'running')
    onReady()
    return undefined
  }

  async #probe(
    child: GuardedProcess,
    since: number,
    ready: (attempt: ReadinessAttempt) => Promise<void>,
  ): Promise<Error | undefined> {
    const timeoutMs = this.spec.readyTimeoutMs ?? 60_000
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(), timeoutMs)
    const ended = child.exited.then(() => over.abort())
    const attempt = { pid: child.pid, output: () => this.log.readFrom(since), signal: over.signal }
    try {
      await Promise.race([ready(attempt), ended])
      return over.signal.aborted ? this.#startError('ended before it was ready', since) : undefined
    } catch (error) {
      const isLate = child.kill('SIGKILL') && over.signal.aborted
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
    return startError('start_failed', this.name, what, this.log, since, cause)
  }

  #lateError(timeoutMs: number, since: number, cause: unknown): StackError {
    return startError('start_timed_out', this.name, `was not ready within ${timeoutMs} ms`, this.log, since, cause)
  }
}

function startError(
  code: 'start_failed' | 'start_timed_out',
  process: string,
  what: string,
  log: LogFile,
  since: number,
  cause: unknown,
): StackError {
  // What was wrong may stand before all that a server says while it goes down.
  const said = log.readFrom(since)
  const isPortTaken = /Address already in use|Failed to bind|BindException/i.test(said)
  const facts = { process, logFile: log.path, output: log.tail(20, since), isPortTaken }
  if (/No space left on device/i.test(said)) {
    const remedy = 'free some space, or set SLUICE_DATA_DIR to a folder on another disk'
    return new StackError('disk_full', `${process} ${what}: no space is left on its device`, remedy, { cause, facts })
  }
  return new StackError(code, `${process} ${what}`, `read its log: ${log.path}`, { cause, facts })
}

function isFailure(end: ProcessExit | Error): boolean {
  return end instanceof Error || end.code !== 0
}
