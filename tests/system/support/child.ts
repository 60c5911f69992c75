import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** How a program ended and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface ChildOptions {
  readonly cwd?: string
  /** Added to the environment of this process; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly stdin?: string
  /** After this time the program is killed and the call fails. Default 240,000. */
  readonly timeoutMs?: number
}

/** Tests start hundreds of programs: what one has compiled the next need not. */
const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/compile', import.meta.url))

/** What would outlive this process if it ends before they do: a frozen one for ever. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A program running beside the test: its lines as they come, its end, and a kill that is waited for. */
export class Child implements AsyncDisposable {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  readonly lines: string[] = []
  #stderr = ''
  readonly #watchers = new Set<() => void>()

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    this.process = spawn(command, args, spawnOptions(options))
    running.add(this.process)
    this.process.once('close', () => running.delete(this.process))
    this.process.stdin?.on('error', () => undefined).end(options.stdin ?? '')
    createInterface({ input: this.process.stdout! }).on('line', (line) => this.#note(line))
    this.process.stderr!.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    this.ended = this.#awaitEnd()
    this.ended.catch(() => undefined)
  }

  /** Process id. @throws Error where the program could not be started. */
  get pid(): number {
    if (this.process.pid === undefined) throw new Error(`${this.process.spawnfile} did not start`)
    return this.process.pid
  }

  /** The first line, past or future, that fits. @throws Error when the program ends or the time runs out before. */
  async line(fits: (line: string) => boolean, timeoutMs = 240_000): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    let seen = 0
    const look = (): void => {
      for (; seen < this.lines.length; seen++) if (fits(this.lines[seen]!)) resolve(this.lines[seen]!)
    }
    const timer = setTimeout(() => reject(new Error(`no such line in ${timeoutMs} ms; ${this.#said()}`)), timeoutMs)
    this.ended.then(
      () => reject(new Error(`it ended without such a line; ${this.#said()}`)),
      (error: unknown) => reject(error as Error),
    )
    this.#watchers.add(look)
    look()
    return promise.finally(() => {
      clearTimeout(timer)
      this.#watchers.delete(look)
    })
  }

  /** Sends a signal and waits for the end. A program that has ended already is left as it is. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill(signal)
    return this.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.pid !== undefined) await this.kill()
  }

  #note(line: string): void {
    this.lines.push(line)
    for (const look of this.#watchers) look()
  }

  async #awaitEnd(): Promise<Ended> {
    const [code, signal] = (await once(this.process, 'close')) as [number | null, NodeJS.Signals | null]
    return { code, signal, stdout: this.lines.join('\n'), stderr: this.#stderr }
  }

  #said(): string {
    return `stdout: ${this.lines.slice(-20).join('\n')}\nstderr: ${this.#stderr.slice(-2_000)}`
  }
}

/** Runs a program to its end. @throws Error when it takes longer than `timeoutMs`. */
export async function run(command: string, args: readonly string[], options: ChildOptions = {}): Promise<Ended> {
  const { timeoutMs = 240_000 } = options
  await using child = new Child(command, args, options)
  const timer = setTimeout(() => child.process.kill('SIGKILL'), timeoutMs)
  const ended = await child.ended.finally(() => clearTimeout(timer))
  if (ended.signal === 'SIGKILL') throw new Error(`${command} was killed after ${timeoutMs} ms: ${ended.stderr}`)
  return ended
}

/** As `run`, and a program that fails is an error with what it said. */
export async function runOk(command: string, args: readonly string[], options: ChildOptions = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await run(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}\n${stdout}\n${stderr}`)
  return stdout
}

/** A TypeScript program of this repository, run from source by the Node that runs the test. */
export function fromSource(file: string, args: readonly string[] = []): [command: string, args: string[]] {
  return [process.execPath, ['--conditions=@sluice/source', file, ...args]]
}

function spawnOptions({ cwd, env }: ChildOptions): SpawnOptions {
  const merged = Object.entries({ NODE_COMPILE_CACHE: compileCache, ...process.env, ...env }).filter(
    ([, value]) => value !== undefined,
  )
  return { ...(cwd !== undefined && { cwd }), env: Object.fromEntries(merged), stdio: ['pipe', 'pipe', 'pipe'] }
}
