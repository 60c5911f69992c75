import { readFileSync } from 'node:fs'

/** How a set of effects compares with the ledger of what was acknowledged. */
export interface Comparison {
  /** Different ids in the ledger. */
  readonly ledger: number
  /** Different ids among the effects. */
  readonly found: number
  /** Ids of the ledger with no effect: lost. */
  readonly missing: readonly string[]
  /** Effects beyond the first of their id. */
  readonly repeats: number
  /** Effects that the ledger does not know: written, but their acknowledgement was never recorded. */
  readonly unacknowledged: number
}

/** The ids of a ledger, one a line. A last line that a kill cut short has no newline and does not count. */
export function readLedger(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
}

/** Compares what was acknowledged with what was found; `found` may name an id many times. */
export function compare(ledger: Iterable<string>, found: Iterable<string>): Comparison {
  const acknowledged = new Set(ledger)
  const counts = new Map<string, number>()
  for (const id of found) counts.set(id, (counts.get(id) ?? 0) + 1)
  const missing: string[] = []
  for (const id of acknowledged) if (!counts.has(id)) missing.push(id)
  let total = 0
  for (const count of counts.values()) total += count
  return {
    ledger: acknowledged.size,
    found: counts.size,
    missing,
    repeats: total - counts.size,
    unacknowledged: counts.size + missing.length - acknowledged.size,
  }
}
