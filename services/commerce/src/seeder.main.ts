import { seederConfig } from './config/config.ts'
import { openSeeder } from './seeder/seeder-service.ts'
import { runService } from './service/run-service.ts'

await runService({ name: 'seeder', parse: seederConfig, open: openSeeder })
