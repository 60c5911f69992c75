import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Counts the starts over one ledger folder: 1 for the first. A start that goes on with the ledger of another one must
 * not draw the same ids again, also with the same seed.
 */
export function nextRun(folder: string): number {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'runs.txt')
  const run = lastRun(path) + 1
  writeFileSync(`${path}.new`, `${run}\n`)
  renameSync(`${path}.new`, path)
  return run
}

function lastRun(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10) || 0
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
}
