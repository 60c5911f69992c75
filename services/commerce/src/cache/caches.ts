import type { Product, User } from '../events/events.ts'

/** A cached table: the hash that readers draw from, `{id: JSON of the row}`, and where its rows come from. */
export interface Cache<Row> {
  readonly name: 'users' | 'products'
  /** As document 1 names it. */
  readonly key: 'cache:users' | 'cache:products'
  readonly id: keyof Row & string
  /** What is selected, as SQL. */
  readonly columns: readonly string[]
}

export const USERS: Cache<User> = {
  name: 'users',
  key: 'cache:users',
  id: 'user_id',
  columns: ['user_id', 'name', 'gender', 'age_group', 'region', isoText('created_at')],
}

export const PRODUCTS: Cache<Product> = {
  name: 'products',
  key: 'cache:products',
  id: 'product_id',
  columns: [
    'product_id',
    'name',
    'category',
    'brand',
    'price',
    'org_price',
    'discount_rate::float8',
    'stock',
    isoText('created_at'),
  ],
}

/** The next contents of a cache while they are written. The braces keep it in the cache's slot of a Redis cluster. */
export function stagingKey(cache: Pick<Cache<never>, 'key'>, cycle: number): string {
  return `{${cache.key}}:staging:${cycle}`
}

/** Which round the cache's contents are of: a worker that was frozen must not put older ones back. */
export function cycleKey(cache: Pick<Cache<never>, 'key'>): string {
  return `{${cache.key}}:cycle`
}

function isoText(column: string): string {
  return `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS') AS ${column}`
}
