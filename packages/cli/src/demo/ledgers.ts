import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { LEDGER_FILES } from '@sluice/commerce'
import { ledgerDir } from './processes.ts'

/** Each run of the demo has a ledger of its own, which a restarted generator goes on with; the one before is kept. */
export function beginLedger(dataDir: string): void {
  const current = ledgerDir(dataDir)
  const previous = join(current, 'previous')
  mkdirSync(previous, { recursive: true })
  for (const file of Object.values(LEDGER_FILES)) {
    if (existsSync(join(current, file))) renameSync(join(current, file), join(previous, file))
  }
}
