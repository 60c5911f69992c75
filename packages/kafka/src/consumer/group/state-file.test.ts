import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StateFile } from './state-file.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sluice-state-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const open = (): StateFile => new StateFile(folder, 'cluster', 'group/1', 'name')

/** Makes the file look like that of a process that is no more. */
function leaveBehind(file: StateFile): void {
  const state = JSON.parse(readFileSync(file.path, 'utf8')) as object
  writeFileSync(file.path, JSON.stringify({ ...state, startedAt: 'another boot' }))
}

test('the first holder has nobody to dismiss', async () => {
  const file = open()
  await file.claim()
  expect(await file.begin('a')).toEqual([])
})

test.skipIf(process.platform === 'win32')('a folder that others could write to is refused by name', async () => {
  chmodSync(folder, 0o777)
  await expect(open().claim()).rejects.toMatchObject({
    code: 'config_invalid',
    field: 'stateDir',
    message: expect.stringContaining('every user can write to it'),
  })
  const link = `${folder}.link`
  symlinkSync(folder, link)
  await expect(new StateFile(link, 'cluster', 'group', 'name').claim()).rejects.toMatchObject({ field: 'stateDir' })
  rmSync(link)
})

test.skipIf(process.platform === 'win32')('its file can be read by its user alone', async () => {
  const file = open()
  await file.claim()
  expect(statSync(file.path).mode & 0o077).toBe(0)
})

test('a live holder refuses a second one, naming itself', async () => {
  await open().claim()
  await expect(open().claim()).rejects.toMatchObject({ code: 'state_in_use', pid: process.pid })
})

test('of many that start at once on a file left behind, one gets it', async () => {
  let file = open()
  await file.claim()
  for (let round = 0; round < 3; round++) {
    await file.begin('old')
    leaveBehind(file)
    const starting = Array.from({ length: 8 }, () => open())
    const results = await Promise.allSettled(starting.map((one) => one.claim()))
    const winners = starting.filter((_, index) => results[index]!.status === 'fulfilled')
    expect(winners).toHaveLength(1)
    expect(readdirSync(folder)).toHaveLength(1)
    file = winners[0]!
  }
})

test('a claim that was killed half-way keeps nobody out', async () => {
  const old = open()
  await old.claim()
  await old.begin('old')
  leaveBehind(old)
  copyFileSync(old.path, `${old.path}.lock`)
  const next = open()
  await next.claim()
  expect(await next.begin('next')).toEqual(['old'])
  expect(readdirSync(folder)).toHaveLength(1)
})

test('after a kill the successor is told whom to dismiss, until it has done so', async () => {
  const first = open()
  await first.claim()
  await first.begin('a')
  leaveBehind(first)
  const second = open()
  await second.claim()
  expect(await second.begin('b')).toEqual(['a'])
  leaveBehind(second)
  const third = open()
  await third.claim()
  expect(await third.begin('c')).toEqual(['a', 'b'])
  await third.dismissed()
  leaveBehind(third)
  const fourth = open()
  await fourth.claim()
  expect(await fourth.begin('d')).toEqual(['c'])
})

test('whoever was taken over sees who did it', async () => {
  const first = open()
  await first.claim()
  await first.begin('a')
  expect(await first.otherMember('a')).toBeUndefined()
  leaveBehind(first)
  const second = open()
  await second.claim()
  await second.begin('b')
  expect(await first.otherMember('a')).toBe('b')
  await first.letGo(true)
  expect(await second.otherMember('b')).toBeUndefined()
})

test('an orderly end leaves no file', async () => {
  const file = open()
  await file.claim()
  await file.begin('a')
  await file.letGo(true)
  expect(readdirSync(folder)).toEqual([])
})

test('a member that may still be in the group is left to the next start, and so are those before it', async () => {
  const first = open()
  await first.claim()
  await first.begin('a')
  await first.letGo(false)
  const second = open()
  await second.claim()
  await second.letGo(true)
  const third = open()
  await third.claim()
  expect(await third.begin('c')).toEqual(['a'])
  await third.dismissed()
  await third.letGo(true)
  expect(readdirSync(folder)).toEqual([])
})

test('a file cut short by a crash is taken over', async () => {
  const file = open()
  await file.claim()
  writeFileSync(file.path, '{"member')
  await file.claim()
  expect(await file.begin('a')).toEqual([])
})

test('a process that is alive holds it from other processes, and no longer than it lives', async () => {
  const program = `
    import { StateFile } from ${JSON.stringify(join(import.meta.dirname, 'state-file.ts'))}
    const file = new StateFile(${JSON.stringify(folder)}, 'cluster', 'group/1', 'name')
    await file.claim()
    await file.begin('theirs')
    console.log('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, [
    '--conditions=@sluice/source',
    '--input-type=module-typescript',
    '-e',
    program,
  ])
  await once(child.stdout, 'data')
  await expect(open().claim()).rejects.toMatchObject({ code: 'state_in_use', pid: child.pid })
  child.kill('SIGKILL')
  await once(child, 'close')
  const file = open()
  await file.claim()
  expect(await file.begin('ours')).toEqual(['theirs'])
})
