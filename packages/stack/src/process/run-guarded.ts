import { closeSync, fstatSync, readSync, rmSync } from 'node:fs'
import { openNew } from '../machine/safe-file.ts'
import { type GuardedCommand, GuardedProcess } from './guarded-process.ts'

export interface OneRun extends Pick<GuardedCommand, 'name' | 'command' | 'args' | 'cwd' | 'env' | 'account'> {
  /** Where its output goes while it runs; removed afterwards. */
  readonly outputFile: string
  readonly timeoutMs: number
}

/** A program that ended otherwise than with 0, and what it wrote. */
export class RunFailure extends Error {
  readonly output: string

  constructor(name: string, how: string, output: string) {
    super(`${name} ${how}`)
    this.output = output
  }
}

/** Runs a program to its end; it is killed when that takes too long, and when we end before it. @throws RunFailure */
export async function runGuarded({ outputFile, timeoutMs, ...run }: OneRun): Promise<void> {
  const logFd = openNew(outputFile, 0o600)
  try {
    const child = await GuardedProcess.spawn({ ...run, logFd, stopSignal: 'SIGKILL', graceMs: 0, ipc: false })
    let isLate = false
    const limit = setTimeout(() => (isLate = child.kill('SIGKILL')), timeoutMs)
    const { code, signal } = await child.exited.finally(() => clearTimeout(limit))
    if (code === 0) return
    const how = signal ? `was ended by ${signal}` : `ended with code ${code}`
    throw new RunFailure(run.name, isLate ? `took longer than ${timeoutMs} ms` : how, written(logFd))
  } finally {
    closeSync(logFd)
    rmSync(outputFile, { force: true })
  }
}

/** What a program has written to the file behind the descriptor; its path may lead elsewhere by now. */
function written(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size)
  return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0)).trim()
}
