import type { CacheWorkerConfig } from '../config/config.ts'
import { openPool } from '../database/database.ts'
import { ensureSchema } from '../database/schema.ts'
import { never, type Service, type ServiceContext } from '../service/run-service.ts'
import { poll } from '../service/poll.ts'
import { CacheWorker, cacheCounts } from './cache-worker.ts'
import { openRedis } from './redis.ts'

const COUNT_INTERVAL_MS = 1_000

/** Refreshes the caches until it is stopped. */
export async function openCacheWorker(config: CacheWorkerConfig, context: ServiceContext): Promise<Service> {
  const { log, metrics } = context
  const pool = await openPool(config.postgres, 'commerce-cache-worker', 2, log)
  await ensureSchema(pool)
  const redis = await openRedis(config.redis, 'commerce-cache-worker', log)
  const worker = new CacheWorker({ ...config, pool, redis, log })
  const counts = poll(() => cacheCounts(redis), COUNT_INTERVAL_MS)
  worker.start()
  metrics.counter({
    name: 'sluice_commerce_cache_rounds_total',
    help: 'Rounds of cache refreshing that this worker did.',
    labels: ['result'],
    read: () => [
      [worker.inspect().rounds, { result: 'refreshed' }],
      [worker.inspect().failures, { result: 'failed' }],
    ],
  })
  metrics.gauge({
    name: 'sluice_commerce_cached_rows',
    help: 'Rows in the cache.',
    labels: ['cache'],
    read: () => Object.entries(counts.latest ?? {}).map(([cache, rows]) => [rows, { cache }] as const),
  })
  return {
    done: never(),
    facts: () => {
      const { rounds, failures, healthy } = worker.inspect()
      const waitingFor = healthy ? undefined : 'PostgreSQL or Redis'
      return { waitingFor, counters: { rounds, failures }, cache: counts.latest }
    },
    close: async () => {
      counts.stop()
      await worker.close()
      redis.destroy()
      await pool.end()
    },
  }
}
