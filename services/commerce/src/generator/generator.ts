import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { type Clock, systemClock } from '@sluice/flow'
import type { Logger } from 'pino'
import { CachedRows } from '../cache/cached-rows.ts'
import type { Redis } from '../cache/redis.ts'
import type { OrderCreated, ProductCreated } from '../events/events.ts'
import { ordersTopic, productsTopic } from '../events/topics.ts'
import { newOrder } from '../sample/orders.ts'
import { newProduct } from '../sample/products.ts'
import { Random } from '../sample/random.ts'
import { Ledger } from './ledger.ts'
import { LEDGER_FILES } from './ledger-files.ts'
import { type Made, type QueueingProducer, Outflow } from './outflow.ts'
import { bursts, type Pace, steady } from './pace.ts'
import { nextRun } from './runs.ts'

/** Document 1: 1 to 5 orders every 2 to 8 s, 100 products every 10 to 20 s. */
const ORDER_BURSTS = { records: [1, 5], pauseMs: [2_000, 8_000] } as const
const PRODUCT_BURSTS = { records: [100, 100], pauseMs: [10_000, 20_000] } as const
/** With a rate: a product for so many orders. */
const ORDERS_A_PRODUCT = 10

export interface GeneratorOptions {
  readonly producer: QueueingProducer
  readonly redis: Redis
  readonly log: Logger
  /** Orders a second; undefined for document 1's bursts. */
  readonly ordersPerSecond: number | undefined
  readonly seed: number | undefined
  readonly ledgerDir: string | undefined
  readonly clock?: Clock
}

/**
 * Orders of cached customers and products, and new products, into their topics. Both slow down with the producer's
 * queue. With a seed (and the same cache) the events of the n-th start over a ledger folder are always the same.
 */
export class Generator implements AsyncDisposable {
  readonly #options: GeneratorOptions
  readonly #clock: Clock
  readonly #stop = new AbortController()
  readonly #rows: CachedRows
  readonly #orderRandom: Random
  readonly #productRandom: Random
  readonly #orderPaceRandom: Random
  readonly #productPaceRandom: Random
  readonly #ledgers: readonly Ledger[]
  readonly #orders: Outflow<OrderCreated>
  readonly #products: Outflow<ProductCreated>
  #running: Promise<void> | undefined

  constructor(options: GeneratorOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    const { ledgerDir, seed } = options
    const run = ledgerDir === undefined ? 1 : nextRun(ledgerDir)
    const random = (use: string): Random => new Random(use, seed ?? randomUUID(), run)
    this.#orderRandom = random('orders')
    this.#productRandom = random('products')
    this.#orderPaceRandom = random('order pace')
    this.#productPaceRandom = random('product pace')
    const rowRandom = { users: random('users drawn'), products: random('products drawn') }
    this.#rows = new CachedRows(options.redis, seed === undefined ? undefined : rowRandom)
    const openLedger = (file: string): Ledger | undefined =>
      (ledgerDir && new Ledger(join(ledgerDir, file))) || undefined
    const orderLedger = openLedger(LEDGER_FILES.orders)
    const productLedger = openLedger(LEDGER_FILES.products)
    this.#ledgers = [orderLedger, productLedger].filter((ledger) => ledger !== undefined)
    const shared = { ...options, clock: this.#clock, signal: this.#stop.signal }
    this.#orders = new Outflow({
      ...shared,
      topic: ordersTopic,
      pace: () => this.#orderPace(),
      make: (count) => this.#makeOrders(count),
      ledger: orderLedger,
    })
    this.#products = new Outflow({
      ...shared,
      topic: productsTopic,
      pace: () => this.#productPace(),
      make: (count) => Promise.resolve(this.#makeProducts(count)),
      ledger: productLedger,
    })
  }

  /** @returns when it has been closed; @throws what it cannot go on after */
  run(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }

  inspect() {
    return {
      orders: this.#orders.inspect(),
      products: this.#products.inspect(),
      cache: this.#rows.inspect(),
      ledgerLines: this.#ledgers.reduce((sum, { lines }) => sum + lines, 0),
    }
  }

  /** Makes nothing more, waits until all that was made is settled, and closes the ledger. */
  async close(): Promise<void> {
    this.#stop.abort()
    try {
      await this.#running
    } finally {
      for (const ledger of this.#ledgers) ledger.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #run(): Promise<void> {
    try {
      await Promise.all([this.#orders.run(), this.#products.run()])
    } finally {
      this.#stop.abort()
    }
  }

  #orderPace(): Pace {
    const { ordersPerSecond } = this.#options
    const timing = { clock: this.#clock, signal: this.#stop.signal }
    return ordersPerSecond === undefined
      ? bursts(ORDER_BURSTS, this.#orderPaceRandom, timing)
      : steady(ordersPerSecond, timing)
  }

  #productPace(): Pace {
    const { ordersPerSecond } = this.#options
    const timing = { clock: this.#clock, signal: this.#stop.signal }
    return ordersPerSecond === undefined
      ? bursts(PRODUCT_BURSTS, this.#productPaceRandom, timing)
      : steady(ordersPerSecond / ORDERS_A_PRODUCT, timing)
  }

  async #makeOrders(count: number): Promise<Made<OrderCreated>[]> {
    const [users, products] = await Promise.all([this.#rows.users(count), this.#rows.products(count)])
    const nowMs = this.#clock.now()
    return users.slice(0, products.length).map((user, index) => {
      const data = newOrder(this.#orderRandom, user, products[index]!, nowMs)
      return { id: data.order_id, record: { key: data.user_id, value: { event_type: 'order_created', data } } }
    })
  }

  #makeProducts(count: number): Made<ProductCreated>[] {
    const nowMs = this.#clock.now()
    return Array.from({ length: count }, () => {
      const data = newProduct(this.#productRandom, nowMs)
      return { id: data.product_id, record: { key: data.product_id, value: { event_type: 'product_created', data } } }
    })
  }
}
