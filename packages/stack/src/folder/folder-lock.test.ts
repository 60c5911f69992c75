import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { identify } from '../machine/identity.ts'
import { FolderLock } from './folder-lock.ts'

const lockModule = new URL('folder-lock.ts', import.meta.url).href

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'folder-lock-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

function fakeHolder(generation: number, holder: object): void {
  writeFileSync(join(dir, `lock.${generation}`), JSON.stringify({ released: false, ...holder }))
}

describe('the lock of a folder', () => {
  it('is held by one at a time, and names who holds it', () => {
    const lock = FolderLock.acquire(dir)
    expect(FolderLock.holder(dir)?.pid).toBe(process.pid)
    expect(() => FolderLock.acquire(dir)).toThrow(
      expect.objectContaining({ code: 'already_running', pid: process.pid, dataDir: dir }),
    )
    lock.release()
    expect(FolderLock.holder(dir)).toBeUndefined()
    FolderLock.acquire(dir).release()
  })

  it('passes on when its holder has died, also when another process has the pid now', () => {
    fakeHolder(7, { pid: process.pid, startedAt: 'earlier' })
    expect(FolderLock.holder(dir)).toBeUndefined()
    FolderLock.acquire(dir)
    expect(readdirSync(dir)).toEqual(['lock.8'])
  })

  it('never counts down, so that a slow process cannot take what a quick one has released', () => {
    FolderLock.acquire(dir).release()
    FolderLock.acquire(dir).release()
    expect(readdirSync(dir)).toEqual(['lock.2'])
  })

  it('is held by nobody where its file was cut short', () => {
    writeFileSync(join(dir, 'lock.3'), '{"pid"')
    expect(FolderLock.holder(dir)).toBeUndefined()
    FolderLock.acquire(dir)
    expect(FolderLock.holder(dir)).toEqual(identify(process.pid))
  })

  it('is an error that says what to do, where the folder is none', () => {
    const file = join(dir, 'file')
    writeFileSync(file, '')
    const refusal = { code: 'folder_unusable', path: file, remedy: expect.stringContaining('SLUICE_DATA_DIR') }
    expect(() => FolderLock.holder(file)).toThrow(expect.objectContaining(refusal))
    expect(() => FolderLock.acquire(file)).toThrow(expect.objectContaining(refusal))
  })

  it('goes to exactly one of many that follow a dead holder at once', async () => {
    fakeHolder(1, { pid: process.pid, startedAt: 'earlier' })
    const program = [
      `const { FolderLock } = await import(${JSON.stringify(lockModule)})`,
      `try { FolderLock.acquire(${JSON.stringify(dir)}); console.log('held') } catch (error) { console.log(error.code) }`,
      // The winner holds on until all have tried.
      `process.stdin.resume()`,
    ]
    const children = Array.from({ length: 5 }, () =>
      spawn(process.execPath, ['--input-type=module', '--eval', program.join('\n')], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    )
    const said = await Promise.all(children.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()))
    for (const child of children) child.stdin.end()
    await Promise.all(children.map((child) => once(child, 'exit')))
    expect(said.toSorted()).toEqual([...Array.from({ length: 4 }, () => 'already_running'), 'held'])
  })
})
