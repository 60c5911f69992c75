import { ConfigError } from '@sluice/flow'
import { isSqlError } from './sql/fault.ts'
import { TablesMissingError } from './errors.ts'

/** Where the tables are: those of one name are made by `migrate` and used by all that is given the same. */
export interface TableOptions {
  /** Default: the first of the connection's `search_path`, mostly `public`. */
  readonly schema?: string
  /** What the names of tables begin with. Up to 32 characters, default `sluice_`. */
  readonly prefix?: string
}

/** Names as they stand in statements, quoted. */
export interface Tables {
  readonly schema: string | null
  readonly offsets: string
  readonly outbox: string
  readonly outboxByBucket: string
  /** One row: what tells this outbox from all others. */
  readonly outboxIdentity: string
  readonly idempotency: string
  readonly idempotencyByTime: string
}

/** PostgreSQL cuts longer names without a word. */
const MAX_NAME_LENGTH = 63
const MAX_PREFIX_LENGTH = 32

/** @throws ConfigError */
export function tablesOf({ schema, prefix = 'sluice_' }: TableOptions): Tables {
  if (schema !== undefined) requireName('schema', schema, MAX_NAME_LENGTH)
  if (prefix !== '') requireName('prefix', prefix, MAX_PREFIX_LENGTH)
  const place = schema === undefined ? '' : `${quoted(schema)}.`
  const table = (name: string): string => place + quoted(prefix + name)
  return Object.freeze({
    schema: schema ?? null,
    offsets: table('offsets'),
    outbox: table('outbox'),
    outboxByBucket: quoted(`${prefix}outbox_by_bucket`),
    outboxIdentity: table('outbox_identity'),
    idempotency: table('idempotency'),
    idempotencyByTime: quoted(`${prefix}idempotency_by_time`),
  })
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** An error of a statement on one of the tables, told in terms of what to do. */
export function explained(error: unknown, table: string): unknown {
  const isMissing = isSqlError(error) && (error.code === '42P01' || error.code === '3F000')
  return isMissing ? new TablesMissingError(table, error) : error
}

function requireName(field: string, value: unknown, maxLength: number): void {
  if (typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= maxLength && !value.includes('\0'))
    return
  throw new ConfigError(field, value, `a name of 1 to ${maxLength} bytes`)
}
