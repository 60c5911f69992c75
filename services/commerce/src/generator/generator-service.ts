import { Kafka } from '@sluice/kafka'
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
  const kafka = Kafka.fromEnv(config.kafka.environment)
  const { compression, lingerMs, batchBytes } = config.kafka
  const producer = await kafka.producer({ compression, lingerMs, batchBytes })
  producer.on('throttled', (state) => log.warn({ state }, 'the queue is at its high watermark: generating less'))
  producer.on('released', (state) => log.info({ state }, 'the queue is at its low watermark again'))
  const queue = (): QueueReport => {
    const { records, maxRecords, highWatermark, lowWatermark, throttled } = producer.inspect().queue
    return { records, maxRecords, highWatermark, lowWatermark, throttled }
  }
  const generator = new Generator({ ...config, producer, redis, log })
  publish(context, generator, queue)
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

function publish({ metrics }: ServiceContext, generator: Generator, queue: () => QueueReport): void {
  metrics.counter({
    name: 'kafka_messages_sent_total',
    help: 'Records that were acknowledged.',
    labels: ['topic'],
    read: () => [
      [generator.inspect().orders.acknowledged, { topic: ordersTopic.name }],
      [generator.inspect().products.acknowledged, { topic: productsTopic.name }],
    ],
  })
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
  metrics.gauge({
    name: 'sluice_producer_queue_records',
    help: 'Records that were accepted and are not settled.',
    read: () => [[queue().records]],
  })
  metrics.gauge({
    name: 'sluice_producer_queue_throttled',
    help: '1 from the high watermark until the low one, else 0.',
    read: () => [[Number(queue().throttled)]],
  })
}
