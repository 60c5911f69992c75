import type { Pool } from './database.ts'
import { inTransaction } from './database.ts'

/** Programs that start together must not create the same table at the same time. Any constant of our own. */
const SCHEMA_LOCK = 7_403_001

/** Columns are named as the messages' fields. What the cache worker alone uses begins with `last_cached` or `cache_`. */
const AGEING_COLUMNS = 'last_cached_at timestamptz, cache_claimed_until timestamptz'

const TABLES = [
  `CREATE TABLE IF NOT EXISTS users (
     user_id text PRIMARY KEY,
     name text NOT NULL,
     gender text NOT NULL,
     age_group text NOT NULL,
     region text NOT NULL,
     created_at timestamp NOT NULL,
     ${AGEING_COLUMNS}
   ) WITH (fillfactor = 80)`,
  `CREATE TABLE IF NOT EXISTS products (
     product_id text PRIMARY KEY,
     name text NOT NULL,
     category text NOT NULL,
     brand text NOT NULL,
     price integer NOT NULL,
     org_price integer NOT NULL,
     discount_rate numeric(5, 2) NOT NULL,
     stock integer NOT NULL,
     created_at timestamp NOT NULL,
     ${AGEING_COLUMNS}
   ) WITH (fillfactor = 80)`,
  `CREATE TABLE IF NOT EXISTS orders (
     order_id uuid PRIMARY KEY,
     created_at timestamp NOT NULL,
     user_id text NOT NULL,
     product_id text NOT NULL,
     quantity integer NOT NULL,
     total_amount integer NOT NULL,
     shipping_cost integer NOT NULL,
     discount_amount integer NOT NULL,
     payment_method text NOT NULL,
     status text NOT NULL,
     category text NOT NULL,
     user_region text NOT NULL,
     user_gender text NOT NULL,
     user_age_group text NOT NULL
   )`,
  `CREATE TABLE IF NOT EXISTS cache_rounds (
     name text PRIMARY KEY,
     cycle bigint NOT NULL,
     started_at timestamptz NOT NULL
   )`,
]

/** One index for the rows that were never cached, the oldest first, one for the others in the order of their last time. */
const INDEXES = (['users', 'products'] as const).flatMap((table) => {
  const id = table === 'users' ? 'user_id' : 'product_id'
  return [
    `CREATE INDEX IF NOT EXISTS ${table}_never_cached ON ${table} (created_at, ${id}) WHERE last_cached_at IS NULL`,
    `CREATE INDEX IF NOT EXISTS ${table}_cached ON ${table} (last_cached_at, ${id}) WHERE last_cached_at IS NOT NULL`,
  ]
})

/** Creates what is not there yet; harmless to repeat, also by several programs at once. */
export async function ensureSchema(pool: Pool): Promise<void> {
  await inTransaction(pool, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK])
    for (const statement of [...TABLES, ...INDEXES]) await client.query(statement)
  })
}

/** The table in which a proof counts how often each record was handled. `name` is checked by the configuration. */
export async function ensureHandledTable(pool: Pool, name: string): Promise<void> {
  await inTransaction(pool, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK])
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${name} (
         id text NOT NULL,
         topic text NOT NULL,
         partition_id integer NOT NULL,
         record_offset bigint NOT NULL,
         handled_at timestamptz NOT NULL DEFAULT clock_timestamp()
       )`,
    )
  })
}
