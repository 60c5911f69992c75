import { Kafka, KafkaMetrics } from '@sluice/kafka'
import type { Consumer } from '@sluice/kafka'
import type { ConsumerConfig } from '../config/config.ts'
import { openPool, type Pool } from '../database/database.ts'
import { ensureHandledTable, ensureSchema } from '../database/schema.ts'
import { ordersTopic, productsTopic } from '../events/topics.ts'
import { poll } from '../service/poll.ts'
import type { Service, ServiceContext } from '../service/run-service.ts'
import { Sink } from './sink.ts'

/** Connections to PostgreSQL: as many batches as are written at once. */
const CONCURRENCY = 4
/** Batches in memory for each of them, so that one is at hand when another is written. */
const BATCHES_A_WRITER = 2
const COUNT_INTERVAL_MS = 1_000

/** Consumes orders and products into PostgreSQL until it is stopped; commits what PostgreSQL has acknowledged. */
export async function openConsumer(config: ConsumerConfig, context: ServiceContext): Promise<Service> {
  const { log } = context
  const pool = await openPool(config.postgres, 'commerce-consumer', CONCURRENCY + 1, log)
  await ensureSchema(pool)
  if (config.handledTable !== undefined) await ensureHandledTable(pool, config.handledTable)
  const sink = new Sink({ pool, handledTable: config.handledTable })
  const kafka = Kafka.fromEnv(config.kafka.environment, { logger: log })
  const consumer = await kafka.consumer({
    group: config.group,
    topics: [ordersTopic, productsTopic],
    reset: 'earliest',
    concurrency: CONCURRENCY,
    maxPollRecords: config.maxPollRecords,
    gate: { maxRecords: config.maxPollRecords * CONCURRENCY * BATCHES_A_WRITER },
    instanceName: config.instance,
    // A list that fails says nothing of its single records: rather stop than set a thousand good ones aside.
    deadLetters: false,
    ...(config.stateDir !== undefined && { stateDir: config.stateDir }),
  })
  const rows = poll(() => countRows(pool), COUNT_INTERVAL_MS)
  publish(context, consumer, sink)
  return {
    done: consumer.run((records, { signal }) => sink.write(records, signal), { batch: true }),
    facts: () => {
      const { orders, products } = sink.inspect()
      const repeats = orders.handled - orders.inserted + products.handled - products.inserted
      return {
        waitingFor: sink.isWaiting ? 'PostgreSQL' : undefined,
        counters: { orders: orders.handled, products: products.handled, repeats },
        lag: lagOf(consumer.inspect().partitions ?? []),
        rows: rows.latest,
      }
    },
    close: async () => {
      rows.stop()
      const { abandonedHandlers, uncommitted } = await consumer.close({ timeoutMs: config.stopTimeoutMs / 2 })
      if (uncommitted.length > 0) log.warn({ abandonedHandlers, uncommitted }, 'not committed: handled again later')
      await kafka.close()
      await pool.end()
    },
  }
}

/** Undefined while it is not known of every partition. */
function lagOf(partitions: readonly { readonly lagRecords: number | null }[]): number | undefined {
  if (partitions.length === 0) return undefined
  let lag = 0
  for (const { lagRecords } of partitions) {
    if (lagRecords === null) return undefined
    lag += lagRecords
  }
  return lag
}

async function countRows(pool: Pool) {
  const { rows } = await pool.query<{ users: string; products: string; orders: string }>(
    `SELECT (SELECT count(*) FROM users) AS users,
            (SELECT count(*) FROM products) AS products,
            (SELECT count(*) FROM orders) AS orders`,
  )
  const counts = rows[0]!
  return { users: Number(counts.users), products: Number(counts.products), orders: Number(counts.orders) }
}

function publish({ metrics }: ServiceContext, consumer: Pick<Consumer, 'inspect'>, sink: Sink): void {
  const kafkaMetrics = new KafkaMetrics(metrics.registry)
  kafkaMetrics.consumer('consumer', consumer)
  kafkaMetrics.processed(ordersTopic.name, 'order_created', () => sink.inspect().orders.handled)
  kafkaMetrics.processed(productsTopic.name, 'product_created', () => sink.inspect().products.handled)
  metrics.counter({
    name: 'sluice_commerce_rows_inserted_total',
    help: 'Rows that were not there before; the difference to the processed records is repeats.',
    labels: ['topic'],
    read: () => [
      [sink.inspect().orders.inserted, { topic: ordersTopic.name }],
      [sink.inspect().products.inserted, { topic: productsTopic.name }],
    ],
  })
}
