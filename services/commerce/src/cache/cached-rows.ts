import type { Product, User } from '../events/events.ts'
import type { Random } from '../sample/random.ts'
import { type Cache, PRODUCTS, USERS, cycleKey } from './caches.ts'
import { answered, type Redis } from './redis.ts'

/** Fields asked of Redis at once; one command for more would hold it up. */
const MAX_FIELDS = 1_000

/** Draws random rows of the cache, one round trip for many, with repeats as chance has it. */
export class CachedRows {
  readonly #redis: Redis
  readonly #random: ReadonlyMap<string, Random> | undefined
  readonly #snapshots = new Map<string, { readonly cycle: string | null; readonly rows: readonly unknown[] }>()
  #drawn = 0
  #misses = 0

  /** With `random` the choice is the generator's own, and can be repeated; HRANDFIELD's cannot. */
  constructor(redis: Redis, random?: { readonly users: Random; readonly products: Random }) {
    this.#redis = redis
    // One for each cache: how draws of the two come in turn is a matter of time.
    this.#random = random && new Map(Object.entries(random))
  }

  /** Fewer than `count`, down to none, where the cache is (being) emptied. */
  users(count: number): Promise<User[]> {
    return this.#draw(USERS, count)
  }

  products(count: number): Promise<Product[]> {
    return this.#draw(PRODUCTS, count)
  }

  inspect() {
    return { drawn: this.#drawn, misses: this.#misses }
  }

  async #draw<Row>(cache: Cache<Row>, count: number): Promise<Row[]> {
    const random = this.#random?.get(cache.name)
    const rows = await (random ? this.#drawRepeatable(cache, count, random) : this.#drawAny(cache, count))
    this.#drawn += rows.length
    this.#misses += count - rows.length
    return rows
  }

  async #drawAny<Row>({ key }: Cache<Row>, count: number): Promise<Row[]> {
    const sizes = Array.from({ length: Math.ceil(count / MAX_FIELDS) }, (_, index) =>
      Math.min(MAX_FIELDS, count - index * MAX_FIELDS),
    )
    // A negative count is Redis's way to ask for that many, the same one more than once if it comes so.
    const replies = sizes.map((size) => this.#redis.hRandFieldCountWithValues(key, -size))
    const fields = (await answered(Promise.all(replies))).flat()
    return fields.map(({ value }) => JSON.parse(value) as Row)
  }

  async #drawRepeatable<Row>(cache: Cache<Row>, count: number, random: Random): Promise<Row[]> {
    const rows = await this.#snapshot(cache)
    return rows.length === 0 ? [] : Array.from({ length: count }, () => random.pick(rows))
  }

  /** All rows in the order of their ids, read again when the round has changed. */
  async #snapshot<Row>(cache: Cache<Row>): Promise<readonly Row[]> {
    const cycle = await answered(this.#redis.get(cycleKey(cache)))
    const kept = this.#snapshots.get(cache.key)
    if (kept && kept.cycle === cycle && cycle !== null) return kept.rows as readonly Row[]
    const fields = Object.entries(await answered(this.#redis.hGetAll(cache.key)))
    const rows = fields.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => JSON.parse(value) as Row)
    this.#snapshots.set(cache.key, { cycle, rows })
    return rows
  }
}
