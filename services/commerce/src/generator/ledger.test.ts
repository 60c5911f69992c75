import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from './ledger.ts'

describe('Ledger', () => {
  let folder: string
  let path: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ledger-'))
    path = join(folder, 'deep', 'orders.txt')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('has written what was acknowledged after one turn of the event loop', async () => {
    const ledger = new Ledger(path)
    ledger.append('a')
    ledger.append('b')
    await turn()
    expect(readFileSync(path, 'utf8')).toBe('a\nb\n')
    ledger.close()
  })

  it('has written everything when it is closed', () => {
    const ledger = new Ledger(path)
    ledger.append('a')
    ledger.close()
    expect(readFileSync(path, 'utf8')).toBe('a\n')
  })

  it('is continued by the next one', () => {
    new Ledger(path).close()
    {
      using first = new Ledger(path)
      first.append('a')
    }
    {
      using second = new Ledger(path)
      expect(second.lines).toBe(1)
      second.append('b')
      expect(second.lines).toBe(2)
    }
    expect(readFileSync(path, 'utf8')).toBe('a\nb\n')
  })

  it('takes out a line that a kill cut short', () => {
    new Ledger(path).close()
    writeFileSync(path, 'whole\nhal')
    using ledger = new Ledger(path)
    ledger.append('next')
    ledger.flush()
    expect(readFileSync(path, 'utf8')).toBe('whole\nnext\n')
    expect(ledger.lines).toBe(2)
  })

  it('never goes on after a write that failed', () => {
    const ledger = new Ledger('/dev/full')
    ledger.append('a')
    expect(() => ledger.flush()).toThrow(/ENOSPC/)
    expect(() => ledger.append('b')).toThrow(/ENOSPC/)
  })
})
