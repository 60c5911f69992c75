import type { Pool } from '../database/database.ts'
import { isTransient } from '../database/database.ts'
import type { SetInsert } from '../database/insert.ts'
import { insertOrders, insertProducts } from '../database/tables.ts'
import type { Order, OrderCreated, Product, ProductCreated } from '../events/events.ts'
import { type Clock, systemClock } from '@sluice/flow'

const MIN_RETRY_MS = 100
const MAX_RETRY_MS = 2_000

/** A record as the sink needs it; those of a batch are all of one partition. */
export interface SinkRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: OrderCreated | ProductCreated
}

export interface SinkOptions {
  readonly pool: Pool
  /** A table that is told of every record in the same statement, see `ensureHandledTable`. */
  readonly handledTable?: string | undefined
  readonly clock?: Clock
}

/** Writes batches of events into their tables, each batch in one statement. A row that is there already stays. */
export class Sink {
  readonly #pool: Pool
  readonly #clock: Clock
  readonly #orders: Target<Order>
  readonly #products: Target<Product>
  #waiting = 0

  constructor({ pool, handledTable, clock = systemClock }: SinkOptions) {
    this.#pool = pool
    this.#clock = clock
    this.#orders = new Target(insertOrders, 'order_id', handledTable)
    this.#products = new Target(insertProducts, 'product_id', handledTable)
  }

  /** Whether a batch waits for PostgreSQL to come back. */
  get isWaiting(): boolean {
    return this.#waiting > 0
  }

  /** Tries again while PostgreSQL is away, until it is aborted. @throws what no repetition can mend, or the abort */
  async write(records: readonly SinkRecord[], signal: AbortSignal): Promise<void> {
    for (let delayMs = MIN_RETRY_MS; ; delayMs = Math.min(2 * delayMs, MAX_RETRY_MS)) {
      try {
        return await this.#writeOnce(records)
      } catch (error) {
        if (!isTransient(error) || signal.aborted) throw error
        this.#waiting++
        await this.#clock.sleep(delayMs, signal).finally(() => this.#waiting--)
      }
    }
  }

  inspect() {
    return { orders: this.#orders.inspect(), products: this.#products.inspect() }
  }

  async #writeOnce(records: readonly SinkRecord[]): Promise<void> {
    const first = records[0]
    if (first === undefined) return
    if (first.value.event_type === 'order_created') await this.#orders.write(this.#pool, records)
    else await this.#products.write(this.#pool, records)
  }
}

/** One table and what was written to it. */
class Target<Row> {
  readonly #insert: SetInsert<Row>
  readonly #id: keyof Row
  readonly #hasHandledTable: boolean
  readonly #text: string
  #handled = 0
  #inserted = 0

  constructor(insert: SetInsert<Row>, id: keyof Row, handledTable: string | undefined) {
    this.#insert = insert
    this.#id = id
    this.#hasHandledTable = handledTable !== undefined
    this.#text = handledTable === undefined ? insert.text : withHandled(insert, handledTable)
  }

  async write(pool: Pool, records: readonly SinkRecord[]): Promise<void> {
    const rows = records.map(({ value }) => value.data as Row)
    const parameters = this.#insert.parameters(rows)
    const handled = this.#hasHandledTable ? this.#handledParameters(records, rows) : []
    const { rowCount, rows: counts } = await pool.query<{ inserted?: number }>(this.#text, [...parameters, ...handled])
    this.#handled += records.length
    this.#inserted += counts[0]?.inserted ?? rowCount ?? 0
  }

  inspect() {
    return { handled: this.#handled, inserted: this.#inserted }
  }

  #handledParameters(records: readonly SinkRecord[], rows: readonly Row[]): unknown[][] {
    return [
      rows.map((row) => row[this.#id]),
      records.map(({ topic }) => topic),
      records.map(({ partition }) => partition),
      records.map(({ offset }) => offset),
    ]
  }
}

/** One statement is one transaction: a record is in both tables or in none. */
function withHandled<Row>(insert: SetInsert<Row>, table: string): string {
  const at = (index: number, type: string): string => `$${insert.columnCount + index}::${type}[]`
  return `WITH written AS (${insert.text} RETURNING 1), noted AS (
    INSERT INTO ${table} (id, topic, partition_id, record_offset)
    SELECT * FROM unnest(${at(1, 'text')}, ${at(2, 'text')}, ${at(3, 'integer')}, ${at(4, 'bigint')})
  ) SELECT count(*)::integer AS inserted FROM written`
}
