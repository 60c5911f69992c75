import { Kafka, KafkaMetrics } from '@sluice/kafka'
import { openRedis } from '../cache/redis.ts'
import type { GeneratorConfig } from '../config/config.ts'
import { ordersTopic, productsTopic } from '../events/topics.ts'
import type { QueueReport } from '../service/report.ts'
import type { Service, ServiceContext } from '../service/run-service.ts'
import { Generator } from './generator.ts'

/** Generates orders and products until it is stopped. */
export async function openGenerator(config: GeneratorConfig, context: ServiceContext): Promise<Service> {
  const { log } = context
  const redis = await openRedis(config.redis, 'commerce-generator', log)
  const kafka = Kafka.fromEnv(config.kafka.environment, { logger: log })
  const { compression, lingerMs, batchBytes } = config.kafka
  const producer = await kafka.producer({ compression, lingerMs, batchBytes })
  const queue = (): QueueReport => {
    const { records, maxRecords, highWatermark, lowWatermark, throttled } = producer.inspect().queue
    return { records, maxRecords, highWatermark, lowWatermark, throttled }
  }
  const generator = new Generator({ ...config, producer, redis, log })
  new KafkaMetrics(context.metrics.registry).producer('generator', producer)
  publish(context, generator)
  return {
    done: generator.run(),
    facts: () => {
      const { orders, products, cache } = generator.inspect()
      return {
        waitingFor: orders.waitingFor,
        counters: {
          orders: orders.acknowledged,
          products: products.acknowledged,
          failed: orders.failed + products.failed,
          cacheMisses: cache.misses,
        },
        queue: queue(),
      }
    },
    close: async () => {
      await generator.close()
      await kafka.close()
      redis.destroy()
    },
  }
}

function publish({ metrics }: ServiceContext, generator: Generator): void {
  metrics.counter({
    name: 'sluice_commerce_records_failed_total',
    help: 'Records that were given up.',
    labels: ['topic'],
    read: () => [
      [generator.inspect().orders.failed, { topic: ordersTopic.name }],
      [generator.inspect().products.failed, { topic: productsTopic.name }],
    ],
  })
  metrics.counter({
    name: 'sluice_commerce_cache_draws_total',
    help: 'Rows that were asked of the cache.',
    labels: ['result'],
    read: () => [
      [generator.inspect().cache.drawn, { result: 'hit' }],
      [generator.inspect().cache.misses, { result: 'miss' }],
    ],
  })
}
