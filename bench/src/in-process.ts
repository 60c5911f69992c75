import { fork } from 'node:child_process'
import { join } from 'node:path'

export interface InProcessOptions {
  /** After this time the program is killed. Default 600,000. */
  readonly timeoutMs?: number
  /** The `bench/src` of the checkout whose program is run. Default: this one. */
  readonly folder?: string
}

/**
 * Runs a file of programs/ in a Node of its own, so that no measurement inherits another's heap or compiled code, and
 * returns what it answers. @throws Error when it fails, or takes longer than `timeoutMs`.
 */
export function inProcess<Result>(
  program: string,
  job: object,
  { timeoutMs = 600_000, folder = import.meta.dirname }: InProcessOptions = {},
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  const child = fork(join(folder, 'programs', program), [JSON.stringify(job)], {
    // kafkajs computes negative timeouts, which Node 24 warns about in the midst of the figures.
    execArgv: ['--conditions=@sluice/source', '--expose-gc', '--disable-warning=TimeoutNegativeWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  let result: Result | undefined
  child.once('message', (message) => (result = message as Result))
  child.once('error', reject)
  child.once('close', (code, signal) => {
    clearTimeout(timer)
    if (result !== undefined && code === 0) resolve(result)
    else reject(new Error(`${program} ended with ${signal ?? code} for ${JSON.stringify(job)}`))
  })
  return promise
}

/** For the program's side: the job it was given. */
export function job<Job>(): Job {
  return JSON.parse(process.argv[2]!) as Job
}

/** For the program's side: answers and ends. A client that cannot close by itself is not waited for. */
export function answer(result: object): void {
  process.send!(result, () => process.exit(0))
}
