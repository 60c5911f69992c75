import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compare, readLedger } from './ledger.ts'

test('an id without an effect is missing, a second effect is a repeat, an unknown id was never acknowledged', () => {
  expect(compare(['a', 'b', 'c'], ['a', 'b', 'b', 'b', 'x'])).toEqual({
    ledger: 3,
    found: 3,
    missing: ['c'],
    repeats: 2,
    unacknowledged: 1,
  })
})

test('a line that a kill cut short does not count as acknowledged', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ledger-'))
  writeFileSync(join(folder, 'ledger'), 'one\ntwo\nthr')
  expect(readLedger(join(folder, 'ledger'))).toEqual(['one', 'two'])
  rmSync(folder, { recursive: true })
})
