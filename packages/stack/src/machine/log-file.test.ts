import { appendFileSync, closeSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogFile } from './log-file.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'log-file-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

describe('a log file', () => {
  it('is set aside once it is too large, and its writer goes on in the emptied one', () => {
    const log = new LogFile(join(dir, 'a.log'), 10)
    const fd = log.open()
    writeSync(fd, 'twelve bytes')
    log.rotate()
    writeSync(fd, 'more')
    closeSync(fd)
    expect(readFileSync(`${log.path}.1`, 'utf8')).toBe('twelve bytes')
    expect(readFileSync(log.path, 'utf8')).toBe('more')
  })

  it('stays as it is while it is small', () => {
    const log = new LogFile(join(dir, 'a.log'), 10)
    appendFileSync(log.path, 'ten bytes!')
    log.rotate()
    expect(log.size()).toBe(10)
  })

  it('gives what came after an offset, and all of it where it was emptied since', () => {
    const log = new LogFile(join(dir, 'a.log'))
    appendFileSync(log.path, 'one\ntwo\nthree\n')
    expect(log.readFrom(4)).toBe('two\nthree\n')
    expect(log.readFrom(1_000)).toBe('one\ntwo\nthree\n')
    expect(log.readFrom(0, 6)).toBe('three\n')
    expect(log.tail(2)).toBe('two\nthree')
  })

  it('is empty where nothing was written yet', () => {
    expect(new LogFile(join(dir, 'none.log')).tail(5)).toBe('')
  })
})
