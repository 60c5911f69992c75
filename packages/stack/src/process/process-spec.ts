import type { Account } from '../machine/account.ts'
import type { RestartBackOff } from './back-off.ts'
import type { ProcessExit } from './guarded-process.ts'

/** A process, and how it is started, checked, stopped and started again. */
export interface ProcessSpec {
  /** Unique within its supervisor; also the name of its log file. */
  readonly name: string
  /** The program. Default: this Node. */
  readonly command?: string
  /** Arguments of the program. */
  readonly args?: readonly string[]
  /** The whole environment. Default: ours. */
  readonly env?: NodeJS.ProcessEnv
  /** Its working folder. Default: ours. */
  readonly cwd?: string
  /** Sent to stop it. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals
  /** How long a stop may take before KILL. From 0. Default 10,000 ms. */
  readonly stopTimeoutMs?: number
  /** How long it may take to stop once we are gone. From 0. Default: the stop timeout. */
  readonly orphanGraceMs?: number
  /** Whether it is started again when it ends unasked: always, only with a failure, or never. Default never. */
  readonly restart?: 'always' | 'on-failure' | 'never'
  /** The waits between restarts. */
  readonly backOff?: Partial<RestartBackOff>
  /** Whether it is a Node process that exchanges messages with us. Default false. */
  readonly ipc?: boolean
  /** Where people find it, shown by `status`. */
  readonly url?: string
  /** Resolves when it can be used. Default: it is ready once it runs. */
  readonly ready?: (attempt: ReadinessAttempt) => Promise<void>
  /** How long it may take to be ready. From 0. Default 60,000 ms. */
  readonly readyTimeoutMs?: number
  /** Resolves when it has answered: asked again and again while it runs, and shown by `status`. Default: nothing is asked. */
  readonly answers?: () => Promise<void>
  /** Who it runs as. Default: as we do. */
  readonly account?: Account | undefined
}

/** One start of a process that `ready` waits for. */
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

/** A process as it is now. */
export interface ProcessStatus {
  readonly name: string
  readonly pid: number | null
  readonly state: ProcessState
  /** How often it was started again. */
  readonly restarts: number
  readonly url?: string
  /** False where it runs and has not answered twice in a row, 5 s apart; otherwise left out. It is not restarted. */
  readonly answers?: false
}

/** What a supervisor reports about its processes. */
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
  | { readonly type: 'health'; readonly name: string; readonly answers: boolean }
  | { readonly type: 'message'; readonly name: string; readonly message: unknown }
