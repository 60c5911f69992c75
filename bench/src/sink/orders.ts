import type { ClientBase, Pool } from 'pg'

export interface Order {
  readonly id: number
  readonly userId: string
  readonly productId: string
  readonly amount: number
  readonly region: string
}

/** The same for the same number; about 120 bytes of JSON. */
export function orderOf(id: number): Order {
  return {
    id,
    userId: `user-${id % 10_000}`,
    productId: `product-${(id * 7) % 20_000}`,
    amount: 1_000 + (id % 99_000),
    region: `region-${id % 17}`,
  }
}

export const columns = 'id bigint NOT NULL, user_id text NOT NULL, product_id text, amount integer, region text'

/** One statement for any number of rows. */
export async function insertOrders(to: Pick<Pool | ClientBase, 'query'>, table: string, orders: readonly Order[]) {
  await to.query(
    `INSERT INTO ${table} SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[], $5::text[])`,
    [
      orders.map(({ id }) => id),
      orders.map(({ userId }) => userId),
      orders.map(({ productId }) => productId),
      orders.map(({ amount }) => amount),
      orders.map(({ region }) => region),
    ],
  )
}
