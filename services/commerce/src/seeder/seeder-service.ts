import { systemClock } from '@sluice/flow'
import type { SeederConfig } from '../config/config.ts'
import { openPool } from '../database/database.ts'
import { ensureSchema } from '../database/schema.ts'
import type { Service, ServiceContext } from '../service/run-service.ts'
import { drawProgress } from './progress.ts'
import { seed } from './seeder.ts'

/** Creates the tables, writes the customers and products that are not there yet, and is done. */
export async function openSeeder(config: SeederConfig, context: ServiceContext): Promise<Service> {
  const pool = await openPool(config.postgres, 'commerce-seeder', 2, context.log)
  const progress = { done: 0, total: config.customers + config.products }
  context.metrics.gauge({
    name: 'sluice_commerce_seeded_rows',
    help: 'Rows written by this run of the seeder.',
    read: () => [[progress.done]],
  })
  const work = async (): Promise<void> => {
    const startedMs = systemClock.monotonicMs()
    await ensureSchema(pool)
    const result = await seed(pool, config, {
      nowMs: systemClock.now(),
      signal: context.signal,
      onProgress: ({ done, total }) => {
        progress.done = done
        drawProgress(done, total)
        context.report()
      },
    })
    const tookMs = Math.round(systemClock.monotonicMs() - startedMs)
    context.log.info({ ...result, tookMs }, result.seeded ? 'seeded' : 'seeded already')
  }
  const done = work()
  return {
    done,
    facts: () => ({ counters: { seeded: progress.done, toSeed: progress.total } }),
    close: async () => {
      // Its failure has been told by `done`.
      await done.catch(() => undefined)
      await pool.end()
    },
  }
}
