import { withSessionLock, type Client, type Pool } from '../database/database.ts'
import type { SetInsert } from '../database/insert.ts'
import { insertProducts, insertUsers } from '../database/tables.ts'
import { sampleProduct } from '../sample/products.ts'
import { sampleUser } from '../sample/users.ts'

/** Rows a statement. Larger ones are no faster and show less progress. */
const CHUNK_ROWS = 2_000
/** Only one seeder works at a time; the next finds everything there. */
const SEED_LOCK = 7_403_002

export interface SeedPlan {
  readonly customers: number
  readonly products: number
}

export interface SeedProgress {
  readonly done: number
  readonly total: number
}

export interface SeedResult {
  /** False where every row was there already. */
  readonly seeded: boolean
  readonly customers: number
  readonly products: number
}

export interface SeedOptions {
  readonly nowMs: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: SeedProgress) => void
}

interface Range<Row> {
  readonly count: number
  readonly insert: SetInsert<Row>
  readonly row: (n: number, createdAtMs: number) => Row
}

/**
 * Writes the customers `u_1`.. and the products `p_1`.. that are not there yet. Chunks are written in order, each for
 * itself, so a seeder that was killed is finished by the next one, and the last row's presence tells that all are there.
 */
export function seed(pool: Pool, plan: SeedPlan, options: SeedOptions): Promise<SeedResult> {
  const { customers, products } = plan
  return withSessionLock(pool, SEED_LOCK, async (client) => {
    if (await isSeeded(client, plan)) return { seeded: false, customers, products }
    const total = customers + products
    const report = (done: number): void => options.onProgress?.({ done, total })
    await writeRange(client, { count: customers, insert: insertUsers, row: sampleUser }, options, report)
    const goods = { count: products, insert: insertProducts, row: sampleProduct }
    await writeRange(client, goods, options, (done) => report(customers + done))
    return { seeded: true, customers, products }
  })
}

async function writeRange<Row>(
  client: Client,
  range: Range<Row>,
  options: SeedOptions,
  report: (done: number) => void,
): Promise<void> {
  for (let done = 0; done < range.count;) {
    options.signal?.throwIfAborted()
    const size = Math.min(CHUNK_ROWS, range.count - done)
    const rows = Array.from({ length: size }, (_, index) => range.row(done + index + 1, options.nowMs))
    await client.query(range.insert.text, range.insert.parameters(rows))
    done += size
    report(done)
  }
}

async function isSeeded(client: Client, { customers, products }: SeedPlan): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM users WHERE user_id = $1)
        AND EXISTS (SELECT FROM products WHERE product_id = $2) AS found`,
    [`u_${customers}`, `p_${products}`],
  )
  return rows[0]?.found === true
}
