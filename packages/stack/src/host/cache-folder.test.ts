import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cacheFolder, cached } from './cache-folder.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cache-folder-'))
  chmodSync(root, 0o755)
  process.env['SLUICE_CACHE_DIR'] = root
})
afterEach(() => {
  delete process.env['SLUICE_CACHE_DIR']
  rmSync(root, { recursive: true })
})

const fill = async (draft: string) => writeFileSync(join(draft, 'file'), 'whole')

describe('the cache', () => {
  it('is where SLUICE_CACHE_DIR says, else where the system keeps caches', () => {
    expect(cacheFolder({ SLUICE_CACHE_DIR: root })).toBe(root)
    expect(cacheFolder({ XDG_CACHE_HOME: root })).toBe(join(root, 'sluice'))
  })

  it('is filled once', async () => {
    let fills = 0
    for (let i = 0; i < 2; i++) {
      const path = await cached('thing', (draft) => {
        fills++
        return fill(draft)
      })
      expect(readdirSync(path)).toEqual(['file'])
    }
    expect(fills).toBe(1)
  })

  it('holds nothing of a filling that failed, and the next begins anew', async () => {
    const failing = cached('thing', async (draft) => {
      await fill(draft)
      throw new Error('the network is gone')
    })
    await expect(failing).rejects.toThrow('the network is gone')
    expect(readdirSync(root)).toEqual([])
    await cached('thing', fill)
    expect(existsSync(join(root, 'thing', 'file'))).toBe(true)
  })

  it('has the whole of one when two fill it at once', async () => {
    const paths = await Promise.all([cached('thing', fill), cached('thing', fill)])
    expect(new Set(paths).size).toBe(1)
    expect(readdirSync(root)).toEqual(['thing'])
  })

  it('gets rid of what a killed process has left half done', async () => {
    mkdirSync(join(root, 'draft-4194999-x'))
    await cached('thing', fill)
    expect(readdirSync(root)).toEqual(['thing'])
  })
})
