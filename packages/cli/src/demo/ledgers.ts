import { existsSync, renameSync, rmSync } from 'node:fs'
import { ledgerDir } from './processes.ts'

/** Each run of the demo has a ledger of its own, which a restarted generator goes on with; the one before is kept. */
export function beginLedger(dataDir: string): void {
  const current = ledgerDir(dataDir)
  const previous = `${current}-previous`
  if (!existsSync(current)) return
  rmSync(previous, { recursive: true, force: true })
  renameSync(current, previous)
}
