import { openCacheWorker } from './cache/cache-worker-service.ts'
import { cacheWorkerConfig } from './config/config.ts'
import { runService } from './service/run-service.ts'

await runService({ name: 'cache-worker', parse: cacheWorkerConfig, open: openCacheWorker })
