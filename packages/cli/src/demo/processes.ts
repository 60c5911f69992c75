import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServiceName } from '@sluice/commerce'
import { type ProcessSpec, type Stack, serverEnvironment } from '@sluice/stack'

/** A service may take this long to drain; the supervisor waits a little longer before it kills. */
const STOP_TIMEOUT_MS = 20_000
const KILL_AFTER_MS = STOP_TIMEOUT_MS + 2_000

export interface PipelineOptions {
  /** Orders a second; undefined: small bursts. */
  readonly rate: number | undefined
  readonly seed: number | undefined
}

/** In the order in which they are started; they are stopped the other way round. */
export const SERVICES = ['seeder', 'cache-worker', 'consumer', 'generator'] as const satisfies readonly ServiceName[]

/** Where the demo keeps its ledger of acknowledged ids, within the stack's data folder. */
export function ledgerDir(dataDir: string): string {
  return join(dataDir, 'ledger')
}

/** A program of the commerce service, in a process of its own, told where the stack's servers are. */
export function serviceSpec(
  name: ServiceName,
  stack: Stack,
  { rate, seed }: PipelineOptions,
  env: NodeJS.ProcessEnv,
): ProcessSpec {
  return {
    name,
    args: [...loaderArguments(), fileURLToPath(import.meta.resolve(`@sluice/commerce/${name}`))],
    env: {
      ...settingsOf(env),
      KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers,
      DATABASE_URL: stack.postgres.url,
      REDIS_URL: stack.redis.url,
      METRICS_PORT: '0',
      LOG_LEVEL: env['LOG_LEVEL'] ?? 'info',
      STOP_TIMEOUT_MS: String(STOP_TIMEOUT_MS),
      LEDGER_DIR: ledgerDir(stack.dataDir),
      STATE_DIR: join(stack.dataDir, 'consumer-state'),
      ORDER_RATE: rate === undefined ? '' : String(rate),
      SEED: seed === undefined ? '' : String(seed),
    },
    ipc: true,
    stopTimeoutMs: KILL_AFTER_MS,
    // The seeder has one thing to do; the others are to run until they are stopped, however they ended.
    restart: name === 'seeder' ? 'never' : 'always',
  }
}

/** What the services read (see their README), what Node reads, and nothing else of our environment. */
const settings =
  /^((KAFKA|POSTGRES|REDIS|DB|SEED|CACHE|ORDER|METRICS|SLUICE|NODE|OTEL)_\w+|SEED|INSTANCE_NAME|HANDLED_TABLE|LOG_LEVEL)$/

function settingsOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const named = Object.entries(env).filter(([name]) => settings.test(name))
  return { ...serverEnvironment(env['HOME'] ?? '/', env), ...Object.fromEntries(named) }
}

/** What makes this Node run TypeScript sources of the workspace makes the services' Node do so too. */
function loaderArguments(): string[] {
  return process.execArgv.filter((argument) => argument.startsWith('--conditions'))
}
