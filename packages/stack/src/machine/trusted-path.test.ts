import { chmodSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { whyUntrusted } from './trusted-path.ts'

const nobody = 65_534
let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'trusted-path-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('a path', () => {
  it('is trusted where all of it is ours, and where it is still to be made', () => {
    expect(whyUntrusted(root)).toBeUndefined()
    expect(whyUntrusted(join(root, 'not', 'there'))).toBeUndefined()
  })

  it('is not where others may write to a folder of it', () => {
    const open = join(root, 'open')
    mkdirSync(join(open, 'inner'), { recursive: true })
    chmodSync(open, 0o777)
    expect(whyUntrusted(join(open, 'inner'))).toBe(`other users can write to ${open}`)
    chmodSync(open, 0o1777)
    expect(whyUntrusted(join(open, 'inner'))).toBeUndefined()
    expect(whyUntrusted(open)).toBe(`other users can write to ${open}`)
  })

  it('is judged by what its links lead to', () => {
    mkdirSync(join(root, 'open'), { mode: 0o777 })
    chmodSync(join(root, 'open'), 0o777)
    symlinkSync(join(root, 'open'), join(root, 'link'))
    expect(whyUntrusted(join(root, 'link', 'file'))).toContain('other users can write to')
    symlinkSync(join(root, 'nowhere'), join(root, 'dangling'))
    expect(whyUntrusted(join(root, 'dangling'))).toContain('leads nowhere')
  })

  it.runIf(process.getuid?.() === 0)('is not where a folder or a link of it belongs to another user', () => {
    const theirs = join(root, 'theirs')
    mkdirSync(join(theirs, 'inner'), { recursive: true })
    lchownSync(theirs, nobody, nobody)
    expect(whyUntrusted(join(theirs, 'inner'))).toBe(`${theirs} belongs to another user (uid ${nobody})`)
    symlinkSync(root, join(root, 'link'))
    lchownSync(join(root, 'link'), nobody, nobody)
    expect(whyUntrusted(join(root, 'link', 'file'))).toContain('link belongs to another user')
  })
})
