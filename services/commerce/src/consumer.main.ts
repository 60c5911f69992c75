import { consumerConfig } from './config/config.ts'
import { openConsumer } from './consumer/consumer-service.ts'
import { runService } from './service/run-service.ts'

await runService({ name: 'consumer', parse: consumerConfig, open: openConsumer })
