import { systemClock } from '@sluice/flow'
import type { Pool } from 'pg'
import { lockKey } from './sql/lock-key.ts'
import { inTransaction } from './sql/transaction.ts'
import { quoted, tablesOf, type TableOptions, type Tables } from './tables.ts'

/** For whoever waits for another's migration. */
const TIMEOUT_MS = 60_000

/**
 * Makes the tables that are not there yet. Harmless to repeat, also by several programs at once. The user of the pool
 * needs the right to create them; whoever uses them later needs SELECT, INSERT, UPDATE and DELETE alone.
 * @throws ConfigError; what PostgreSQL says
 */
export async function migrate(pool: Pool, options: TableOptions = {}): Promise<void> {
  const tables = tablesOf(options)
  await inTransaction({ pool, clock: systemClock, timeoutMs: TIMEOUT_MS, lockTimeoutMs: TIMEOUT_MS }, async (tx) => {
    // One lock for all: a schema may be named, or be the first of the search path.
    await tx.query('SELECT pg_advisory_xact_lock($1)', [lockKey('migrate').toString()])
    for (const statement of statements(tables)) await tx.query(statement)
  })
}

/**
 * The same as text, for Prisma, Flyway, node-pg-migrate or whoever runs the changes of a database: one statement after
 * the other, each ended by a semicolon and harmless to repeat. To be run in one transaction.
 * @throws ConfigError
 */
export function migrationSql(options: TableOptions = {}): string {
  return statements(tablesOf(options))
    .map((statement) => `${statement.replaceAll(/\n {5}/g, '\n')};\n`)
    .join('\n')
}

function statements(tables: Tables): string[] {
  const schema = tables.schema === null ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoted(tables.schema)}`]
  return [
    ...schema,
    // Rows are updated with every batch: room on the page keeps the index out of it.
    `CREATE TABLE IF NOT EXISTS ${tables.offsets} (
       group_id text NOT NULL,
       topic_id uuid NOT NULL,
       partition integer NOT NULL,
       topic text NOT NULL,
       next bigint,
       epoch bigint NOT NULL,
       updated_at timestamptz NOT NULL DEFAULT now(),
       PRIMARY KEY (group_id, topic_id, partition)
     ) WITH (fillfactor = 50)`,
    // Rows come and go all the time: the default would vacuum after a fifth of the largest backlog there ever was.
    `CREATE TABLE IF NOT EXISTS ${tables.outbox} (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       bucket smallint NOT NULL,
       topic text NOT NULL,
       partition integer,
       key bytea,
       value bytea,
       headers jsonb NOT NULL,
       timestamp_ms bigint,
       refused text,
       created_at timestamptz NOT NULL DEFAULT now()
     ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
    `CREATE INDEX IF NOT EXISTS ${tables.outboxByBucket} ON ${tables.outbox} (bucket, id) WHERE refused IS NULL`,
    // Numbers of rows alone would be the same in two databases that write to one topic.
    `CREATE TABLE IF NOT EXISTS ${tables.outboxIdentity} (
       is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
       id uuid NOT NULL DEFAULT gen_random_uuid()
     )`,
    `INSERT INTO ${tables.outboxIdentity} DEFAULT VALUES ON CONFLICT DO NOTHING`,
    `CREATE TABLE IF NOT EXISTS ${tables.idempotency} (
       group_id text NOT NULL,
       key text NOT NULL,
       topic text NOT NULL,
       partition integer NOT NULL,
       "offset" bigint NOT NULL,
       leader_epoch integer NOT NULL,
       processed_at timestamptz NOT NULL DEFAULT now(),
       PRIMARY KEY (group_id, key)
     )`,
    `CREATE INDEX IF NOT EXISTS ${tables.idempotencyByTime} ON ${tables.idempotency} (processed_at)`,
  ]
}
