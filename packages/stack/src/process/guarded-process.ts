import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import type { Account } from '../machine/account.ts'
import { StackError } from '../errors.ts'
import { type ProcessIdentity, identify, signalProcess } from '../machine/identity.ts'

/**
 * The guard of one child, for POSIX sh. It runs in a session of its own, holds the reading end of a pipe whose other end
 * is in the supervisor, and when that closes - because the supervisor ended, however it ended - it stops the child:
 * first with the stop signal, after the grace time with KILL. It ends with its child, with the child's exit status.
 *
 * Arguments: stop signal, grace in tenths of a second, command. Descriptors: 0 the pipe, 3 where the pid is told.
 */
const guardScript = `
signal=$1 tenths=$2; shift 2
exec 5<&0 </dev/null
"$@" 3>&- 5<&- &
child=$!
echo "$child" >&3
exec 3>&-
(
  trap '' TERM INT HUP
  while read -r line <&5; do :; done
  kill -s "$signal" "$child" 2>/dev/null
  while [ "$tenths" -gt 0 ] && kill -0 "$child" 2>/dev/null; do sleep 0.1; tenths=$((tenths - 1)); done
  kill -s KILL "$child" 2>/dev/null
) 4>&- >/dev/null 2>&1 &
guard=$!
exec 5<&-
trap 'kill -s "$signal" "$child" 2>/dev/null' TERM INT HUP
wait "$child"; status=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; status=$?; done
kill -s KILL "$guard" 2>/dev/null
exit "$status"
`

export interface GuardedCommand {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** The descriptor that takes its output. */
  readonly logFd: number
  readonly stopSignal: NodeJS.Signals
  /** How long it may take to stop once the supervisor is gone; then KILL. */
  readonly graceMs: number
  /** Whether it is a Node process that exchanges messages with us. */
  readonly ipc: boolean
  /** Who it runs as; undefined: as we do. */
  readonly account: Account | undefined
}

/** How a process ended: with an exit code, or by a signal. */
export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A child that cannot outlive us, in a session of its own, so that Ctrl-C reaches only the supervisor. */
export class GuardedProcess {
  readonly pid: number
  readonly exited: Promise<ProcessExit>
  readonly #guard: ChildProcess
  /** Who has the pid is looked at before each signal: once the child has ended, the system gives its pid to others. */
  readonly #identity: ProcessIdentity | undefined
  #ended = false

  private constructor(guard: ChildProcess, pid: number, exited: Promise<ProcessExit>) {
    this.#guard = guard
    this.pid = pid
    this.#identity = identify(pid)
    this.exited = exited.then((exit) => this.#onExit(exit))
  }

  static async spawn(spec: GuardedCommand): Promise<GuardedProcess> {
    const guard = spawn(
      '/bin/sh',
      [
        '-c',
        guardScript,
        'sluice-guard',
        spec.stopSignal.slice(3),
        String(Math.ceil(spec.graceMs / 100)),
        spec.command,
      ].concat(spec.args),
      {
        cwd: spec.cwd,
        env: spec.env,
        detached: true,
        stdio: ['pipe', spec.logFd, spec.logFd, 'pipe', ...(spec.ipc ? (['ipc'] as const) : [])],
        ...(spec.account && { uid: spec.account.uid, gid: spec.account.gid }),
      },
    )
    const exited = exitOf(guard)
    // The pipe reports EPIPE when the guard ends first, which `exited` tells better.
    guard.stdin?.on('error', () => {})
    const pid = await readPid(guard, spec.name)
    return new GuardedProcess(guard, pid, exited)
  }

  /** Sends a signal to the child itself. False where it has ended. */
  kill(signal: NodeJS.Signals): boolean {
    return !this.#ended && this.#signal(signal)
  }

  /** Sends a message to a child started with `ipc`. False where it is gone or has no channel. */
  send(message: unknown): boolean {
    if (this.#ended || !this.#guard.connected) return false
    return this.#guard.send(message as never, () => {})
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#guard.on('message', listener)
  }

  async #onExit(exit: ProcessExit): Promise<ProcessExit> {
    this.#ended = true
    // Where the guard itself was killed, its child must not be left alone.
    if (exit.signal !== null) this.#signal('SIGKILL')
    return exit
  }

  #signal(signal: NodeJS.Signals): boolean {
    return this.#identity !== undefined && signalProcess(this.#identity, signal)
  }
}

function exitOf(guard: ChildProcess): Promise<ProcessExit> {
  const { promise, resolve, reject } = Promise.withResolvers<ProcessExit>()
  guard.once('error', reject)
  guard.once('exit', (code, signal) => resolve(signal ? { code, signal } : fromShellStatus(code ?? 0)))
  promise.catch(() => {})
  return promise
}

/** A shell tells the end by a signal as 128 + its number. */
function fromShellStatus(status: number): ProcessExit {
  const signal = Object.entries(constants.signals).find(([, number]) => number + 128 === status)?.[0]
  return signal ? { code: null, signal: signal as NodeJS.Signals } : { code: status, signal: null }
}

async function readPid(guard: ChildProcess, name: string): Promise<number> {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  guard.once('error', reject)
  const channel = guard.stdio[3] as Readable | null | undefined
  let text = ''
  const told = (async () => {
    if (channel) for await (const chunk of channel) text += String(chunk)
    return Number.parseInt(text, 10)
  })()
  try {
    const pid = await Promise.race([told, failed])
    if (pid > 0) return pid
    throw new Error(`the guard told no pid (${text})`)
  } catch (error) {
    throw new StackError('start_failed', `${name} could not be started`, 'see the cause: is /bin/sh on this machine?', {
      cause: error,
    })
  }
}
