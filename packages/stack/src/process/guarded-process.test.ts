import { closeSync, openSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { GuardedProcess } from './guarded-process.ts'

afterEach(() => vi.restoreAllMocks())

test('a process that was ended by a signal gets no other: somebody else may have its pid by then', async () => {
  const logFd = openSync('/dev/null', 'w')
  const child = await GuardedProcess.spawn({
    name: 'it',
    command: '/bin/sleep',
    args: ['300'],
    cwd: '/',
    env: process.env,
    logFd,
    stopSignal: 'SIGTERM',
    graceMs: 0,
    ipc: false,
    account: undefined,
  })
  closeSync(logFd)
  const kill = vi.spyOn(process, 'kill')
  expect(child.kill('SIGTERM')).toBe(true)
  expect(await child.exited).toEqual({ code: null, signal: 'SIGTERM' })
  expect(kill.mock.calls).toEqual([[child.pid, 'SIGTERM']])
  expect(child.kill('SIGTERM')).toBe(false)
})
