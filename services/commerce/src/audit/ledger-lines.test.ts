import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ledgerChunks } from './ledger-lines.ts'

describe('ledgerChunks', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ledger-lines-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  async function chunksOf(text: string): Promise<string[][]> {
    const path = join(folder, 'orders.txt')
    writeFileSync(path, text)
    return Array.fromAsync(ledgerChunks(path, 2))
  }

  it('gives the ids in order, so many at a time', async () => {
    expect(await chunksOf('a\nb\nc\n')).toEqual([['a', 'b'], ['c']])
  })

  it('takes a last line that a kill cut short for no id', async () => {
    expect(await chunksOf('whole\nhal')).toEqual([['whole']])
    expect(await chunksOf('hal')).toEqual([])
  })

  it('joins a line that is read in two parts', async () => {
    const long = 'x'.repeat(100_000)
    expect(await chunksOf(`${long}\nb\n`)).toEqual([[long, 'b']])
  })

  it('has none of a ledger that does not exist', async () => {
    expect(await Array.fromAsync(ledgerChunks(join(folder, 'absent.txt'), 2))).toEqual([])
  })
})
