import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { StackError, type StackErrorCode, openSupervisorLog } from '@sluice/stack'
import { describeError } from './describe-error.ts'
import { untilSignal } from './until-signal.ts'

/** What a supervisor in the background tells the command that has started it. */
export type BackgroundMessage =
  | { readonly type: 'progress'; readonly message: string }
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly code: StackErrorCode; readonly message: string; readonly remedy: string }

export interface BackgroundOptions {
  /** The command line of the supervisor. */
  readonly args: readonly string[]
  readonly dataDir: string
  readonly onProgress: (message: string) => void
}

/** Starts a supervisor that outlives us; resolves when it is ready, or when Ctrl-C has ended it and us. */
export async function startBackground({
  args,
  dataDir,
  onProgress,
}: BackgroundOptions): Promise<'ready' | 'interrupted'> {
  const log = openSupervisorLog(dataDir)
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...args], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  })
  closeSync(log.fd)
  const interrupt = untilSignal(['SIGINT', 'SIGTERM', 'SIGHUP'])
  try {
    const outcome = await Promise.race([untilReady(child, log.path, onProgress), interrupt.signal])
    if (outcome === 'ready') return 'ready'
    onProgress('stopping')
    child.kill('SIGTERM')
    await ended(child)
    return 'interrupted'
  } finally {
    interrupt.forget()
    if (child.connected) child.disconnect()
    child.unref()
  }
}

/** Tells the command that has started this supervisor; nothing where none has. */
export function tellParent(message: BackgroundMessage): void {
  // The parent may be gone by now: it has its answer, or was killed.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

/** What the parent is told about an error. */
export function failure(error: unknown): BackgroundMessage {
  if (error instanceof StackError) {
    return { type: 'failed', code: error.code, message: error.message, remedy: error.remedy }
  }
  return {
    type: 'failed',
    code: 'start_failed',
    message: describeError(error),
    remedy: 'read `sluice logs supervisor`',
  }
}

function untilReady(child: ChildProcess, logPath: string, onProgress: (message: string) => void): Promise<'ready'> {
  const { promise, resolve, reject } = Promise.withResolvers<'ready'>()
  child.on('message', (message: BackgroundMessage) => {
    if (message.type === 'progress') onProgress(message.message)
    else if (message.type === 'ready') resolve('ready')
    else reject(new StackError(message.code, message.message, message.remedy))
  })
  child.once('error', reject)
  child.once('exit', (code, signal) => {
    const how = signal ? `was ended by ${signal}` : `ended with code ${code}`
    reject(new StackError('start_failed', `the supervisor ${how} before it was ready`, `read its log: ${logPath}`))
  })
  return promise
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  await promise
}
