import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { StackError, folderError, stackErrorCodes } from './errors.ts'

describe('the errors of the stack', () => {
  it('are those of the guide', () => {
    const page = readFileSync(new URL('../../../docs/local-stack.md', import.meta.url), 'utf8')
    expect(Array.from(page.matchAll(/^\| `(\w+)`/gm), ([, code]) => code)).toEqual([...stackErrorCodes])
  })

  it('carry what to do, and their facts as fields', () => {
    const cause = new Error('why')
    const error = new StackError('port_taken', 'it is taken', 'stop it', { cause, facts: { port: 1 } })
    expect(error).toMatchObject({
      name: 'StackError',
      code: 'port_taken',
      remedy: 'stop it',
      retriable: false,
      port: 1,
      cause,
    })
  })
})

describe('an error of the file system', () => {
  it.each([
    ['ENOSPC', 'disk_full'],
    ['EACCES', 'folder_unusable'],
    ['EROFS', 'folder_unusable'],
  ])('%s is %s', (code, expected) => {
    expect(folderError('/data', Object.assign(new Error(code), { code }))).toMatchObject({
      code: expected,
      path: '/data',
    })
  })

  it('stays as it is where we do not know better', () => {
    const error = Object.assign(new Error('?'), { code: 'EIO' })
    expect(folderError('/data', error)).toBe(error)
  })
})
