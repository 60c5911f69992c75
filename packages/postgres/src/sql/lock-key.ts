import { createHash } from 'node:crypto'

/**
 * The number of an advisory lock of a table, as an expression of SQL: by the table itself, since one schema may be named
 * or be the first of the search path.
 * @param table quoted @param number an expression too
 */
export function advisoryLock(table: string, what: string, number: string): string {
  const name = table.replaceAll("'", "''")
  return `hashtextextended('sluice ${what} ' || '${name}'::regclass::oid || ' ' || ${number}, 0)`
}

/** A number for an advisory lock, out of what it stands for: the first 64 bits of a digest. */
export function lockKey(...parts: readonly (string | number | Uint8Array)[]): bigint {
  const hash = createHash('sha256')
  for (const part of parts) {
    const bytes = typeof part === 'object' ? part : Buffer.from(String(part))
    // With its length, so that parts cannot run into each other.
    hash.update(`${bytes.length}:`).update(bytes)
  }
  return hash.digest().readBigInt64BE()
}
