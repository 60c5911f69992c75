import { chmodSync, existsSync, lchownSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ClassArchive } from './class-archive.ts'

const java = { command: '/usr/bin/java', major: 17, version: '17' }
const before = process.env['SLUICE_CACHE_DIR']
let cache: string
let draft: string
let archive: ClassArchive
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'class-archive-'))
  chmodSync(cache, 0o755)
  process.env['SLUICE_CACHE_DIR'] = cache
  draft = join(cache, 'draft')
  archive = new ClassArchive(java, ['a.jar'], [])
})
afterEach(() => {
  if (before === undefined) delete process.env['SLUICE_CACHE_DIR']
  else process.env['SLUICE_CACHE_DIR'] = before
  rmSync(cache, { recursive: true, force: true })
})
const kept = (): string[] => readdirSync(cache).filter((name) => name.startsWith('classes-'))

it('takes what a broker has written, once', () => {
  writeFileSync(draft, 'classes')
  archive.adopt(draft, undefined)
  expect(archive.exists).toBe(true)
  expect(kept().map((name) => readFileSync(join(cache, name), 'utf8'))).toEqual(['classes'])
  expect(existsSync(draft)).toBe(false)
})

it('takes nothing through a link', () => {
  writeFileSync(join(cache, 'precious'), 'precious', { mode: 0o600 })
  symlinkSync(join(cache, 'precious'), draft)
  archive.adopt(draft, undefined)
  expect([archive.exists, kept()]).toEqual([false, []])
})

it('uses none that others can write to, and replaces it', () => {
  writeFileSync(draft, 'classes')
  archive.adopt(draft, undefined)
  const [name = ''] = kept()
  chmodSync(join(cache, name), 0o666)
  expect(archive.exists).toBe(false)
  expect(archive.options(undefined)).toEqual([])
  writeFileSync(draft, 'new')
  archive.adopt(draft, undefined)
  expect([archive.exists, readFileSync(join(cache, name), 'utf8')]).toEqual([true, 'new'])
})

it.runIf(process.getuid?.() === 0)('uses none that belongs to another user', () => {
  writeFileSync(draft, 'classes')
  archive.adopt(draft, undefined)
  lchownSync(join(cache, kept()[0] ?? ''), 65_534, 65_534)
  expect(archive.exists).toBe(false)
})
