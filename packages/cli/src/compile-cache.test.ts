import { chmodSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compileCacheFolder } from './compile-cache.ts'

const nobody = 65_534
let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'compile-cache-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))
const folder = (): string | undefined => compileCacheFolder({ XDG_CACHE_HOME: home })

describe('the compile cache', () => {
  it('is in a folder of its user that nobody else can write to or read', () => {
    expect(folder()).toBe(join(home, 'sluice', 'compile'))
    expect(statSync(join(home, 'sluice', 'compile')).mode & 0o777).toBe(0o700)
    expect(folder()).toBe(join(home, 'sluice', 'compile'))
  })

  it('is not kept where another user could have written to it', () => {
    mkdirSync(join(home, 'sluice'))
    chmodSync(join(home, 'sluice'), 0o777)
    expect(folder()).toBeUndefined()
    chmodSync(join(home, 'sluice'), 0o755)
    mkdirSync(join(home, 'elsewhere'))
    chmodSync(join(home, 'elsewhere'), 0o777)
    symlinkSync(join(home, 'elsewhere'), join(home, 'sluice', 'compile'))
    expect(folder()).toBeUndefined()
  })

  it('is never a link, also one of our own', () => {
    mkdirSync(join(home, 'sluice'))
    mkdirSync(join(home, 'elsewhere'))
    symlinkSync(join(home, 'elsewhere'), join(home, 'sluice', 'compile'))
    expect(folder()).toBeUndefined()
  })

  it('is not kept where the home cannot be written to', () => {
    expect(compileCacheFolder({ XDG_CACHE_HOME: '/proc/self' })).toBeUndefined()
  })

  it.runIf(process.getuid?.() === 0)('is not one that another user has made before', () => {
    mkdirSync(join(home, 'sluice', 'compile'), { recursive: true })
    lchownSync(join(home, 'sluice', 'compile'), nobody, nobody)
    expect(folder()).toBeUndefined()
    expect(lstatSync(join(home, 'sluice', 'compile')).uid).toBe(nobody)
  })
})
