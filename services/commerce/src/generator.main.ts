import { parseArgs } from 'node:util'
import { generatorConfig } from './config/config.ts'
import { openGenerator } from './generator/generator-service.ts'
import { runService } from './service/run-service.ts'

// Flags are another way to write the variables, and win over them.
const { values } = parseArgs({
  options: { rate: { type: 'string' }, seed: { type: 'string' }, ledger: { type: 'string' } },
})
const flags = { ORDER_RATE: values.rate, SEED: values.seed, LEDGER_DIR: values.ledger }
const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))

await runService({ name: 'generator', parse: generatorConfig, open: openGenerator }, { ...process.env, ...given })
