import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { RunFailure, runGuarded } from './run-guarded.ts'

const folder = mkdtempSync(join(tmpdir(), 'run-guarded-'))
afterAll(() => rmSync(folder, { recursive: true }))

const sh = (script: string, timeoutMs = 60_000) => ({
  name: 'it',
  command: '/bin/sh',
  args: ['-c', script],
  cwd: folder,
  env: process.env,
  account: undefined,
  outputFile: join(folder, 'output'),
  timeoutMs,
})

describe('a program that runs once', () => {
  test('tells its end and what it wrote, and leaves no file', async () => {
    await runGuarded(sh('exit 0'))
    const failure: unknown = await runGuarded(sh('echo no space; exit 3')).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(RunFailure)
    expect(failure).toMatchObject({ message: 'it ended with code 3', output: 'no space' })
    expect(existsSync(join(folder, 'output'))).toBe(false)
  })

  test('is killed when it takes too long', async () => {
    await expect(runGuarded(sh('exec sleep 300', 200))).rejects.toMatchObject({ message: 'it took longer than 200 ms' })
  })

  test('ends with whoever runs it, also by kill -9', async () => {
    const pidFile = join(folder, 'pid')
    const run = JSON.stringify(sh(`echo $$ > ${pidFile}; exec sleep 300`))
    const script = `import { runGuarded } from ${JSON.stringify(new URL('run-guarded.ts', import.meta.url).href)}; await runGuarded(${run})`
    const supervisor = spawn(process.execPath, ['--conditions=@sluice/source', '--input-type=module', '-e', script])
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('\n'))
    const pid = Number(readFileSync(pidFile, 'utf8'))
    expect(isAlive(pid)).toBe(true)
    supervisor.kill('SIGKILL')
    await once(supervisor, 'exit')
    await until(() => !isAlive(pid))
  })
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(20)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
