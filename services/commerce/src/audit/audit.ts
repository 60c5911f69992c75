import { join } from 'node:path'
import pino from 'pino'
import { openPool, type Pool } from '../database/database.ts'
import { LEDGER_FILES } from '../generator/ledger-files.ts'
import { ledgerChunks } from './ledger-lines.ts'

const IDS_A_QUERY = 10_000
const MAX_EXAMPLES = 5

/** What became of the ids of one ledger. */
export interface TableAudit {
  /** Ids that Kafka has acknowledged to the generator. */
  readonly acknowledged: number
  /** Those of them that are not in PostgreSQL. */
  readonly missing: number
  /** A few of the missing ones. */
  readonly examples: readonly string[]
}

export interface Audit {
  readonly orders: TableAudit
  readonly products: TableAudit
}

export interface AuditOptions {
  readonly ledgerDir: string
  readonly databaseUrl: string
}

/** Looks up every id of the ledgers in PostgreSQL. */
export async function auditTables({ ledgerDir, databaseUrl }: AuditOptions): Promise<Audit> {
  const pool = await openPool({ url: databaseUrl, tls: false }, 'commerce-audit', 1, pino({ level: 'silent' }))
  try {
    return {
      orders: await auditTable(pool, join(ledgerDir, LEDGER_FILES.orders), 'orders', 'order_id', 'uuid'),
      products: await auditTable(pool, join(ledgerDir, LEDGER_FILES.products), 'products', 'product_id', 'text'),
    }
  } finally {
    await pool.end()
  }
}

async function auditTable(pool: Pool, ledger: string, table: string, id: string, type: string): Promise<TableAudit> {
  let acknowledged = 0
  let missing = 0
  const examples: string[] = []
  for await (const ids of ledgerChunks(ledger, IDS_A_QUERY)) {
    const { rows } = await pool.query<{ id: string }>(
      `SELECT id::text FROM unnest($1::${type}[]) AS id WHERE NOT EXISTS (SELECT FROM ${table} WHERE ${id} = id)`,
      [ids],
    )
    acknowledged += ids.length
    missing += rows.length
    examples.push(...rows.slice(0, MAX_EXAMPLES - examples.length).map((row) => row.id))
  }
  return { acknowledged, missing, examples }
}
