import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { identify, isAlive, signalProcess } from './identity.ts'

describe('the identity of a process', () => {
  it('is the same at each look', () => {
    expect(identify(process.pid)).toEqual(identify(process.pid))
    expect(isAlive(identify(process.pid)!)).toBe(true)
  })

  it('tells a process from another that has its pid', () => {
    const other = { pid: process.pid, startedAt: 'earlier' }
    expect(isAlive(other)).toBe(false)
    expect(signalProcess(other, 'SIGKILL')).toBe(false)
  })

  it('ends with the process', async () => {
    const child = spawn('sleep', ['60'])
    const identity = identify(child.pid!)!
    expect(isAlive(identity)).toBe(true)
    expect(signalProcess(identity, 'SIGKILL')).toBe(true)
    await once(child, 'exit')
    expect(isAlive(identity)).toBe(false)
    expect(identify(identity.pid)).toBeUndefined()
  })
})
