import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { beginLedger } from './ledgers.ts'

it('begins each run with an empty ledger, keeps the one before, and goes on counting the starts', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ledgers-'))
  const ledger = join(dataDir, 'ledger')
  try {
    mkdirSync(ledger)
    for (const run of ['first', 'second']) {
      writeFileSync(join(ledger, 'orders.txt'), `${run}\n`)
      writeFileSync(join(ledger, 'runs.txt'), '1\n')
      beginLedger(dataDir)
      expect(existsSync(join(ledger, 'orders.txt'))).toBe(false)
      expect(existsSync(join(ledger, 'runs.txt'))).toBe(true)
      expect(readFileSync(join(ledger, 'previous', 'orders.txt'), 'utf8')).toBe(`${run}\n`)
    }
  } finally {
    rmSync(dataDir, { recursive: true })
  }
})
