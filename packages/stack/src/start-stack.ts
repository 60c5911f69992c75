import { type EnvironmentServers, checkKafka, checkPostgres, checkRedis, readEnvironment } from './environment.ts'
import type { StackContext } from './context.ts'
import { DataFolder } from './folder/data-folder.ts'
import { RunRecords } from './folder/run-records.ts'
import { loadSecrets } from './folder/secrets.ts'
import { Ports } from './host/ports.ts'
import { KafkaCluster } from './kafka/cluster.ts'
import type { KafkaServers } from './kafka/servers.ts'
import { GivenKafka } from './kafka/servers.ts'
import { checkKafkaOptions, type KafkaOptions } from './kafka/options.ts'
import { requireKnownOptions } from './known-options.ts'
import { type PostgresOptions, type PostgresServer, startPostgres } from './postgres/server.ts'
import { Supervisor } from './process/supervisor.ts'
import { type RedisOptions, type RedisServer, startRedis } from './redis/server.ts'
import { Stack } from './stack.ts'

/** Which servers a stack has, and where their data is. */
export interface StackOptions {
  /** Kafka, with these options. Default false. */
  readonly kafka?: boolean | KafkaOptions
  /** PostgreSQL, with these options. Default false. */
  readonly postgres?: boolean | PostgresOptions
  /** Redis, with these options. Default false. */
  readonly redis?: boolean | RedisOptions
  /**
   * Where the data is kept, such as {@link projectDataDir}. Default: a throw-away instance in a temporary folder, on
   * random ports, killed and removed at its end.
   */
  readonly dataDir?: string
  /** Removes the data of earlier starts first. Default false. */
  readonly clean?: boolean
  /**
   * Whether a server that the environment names (`KAFKA_BOOTSTRAP_SERVERS`, `DATABASE_URL`, `REDIS_URL` ...) is used
   * instead of a private one. Default: with a `dataDir` yes; a throw-away instance only with `SLUICE_TEST_USE_ENV=1`,
   * since tests must not write to somebody's servers.
   */
  readonly environment?: 'use' | 'ignore'
  /** Whether a server that crashes is started again by itself. Default: with a `dataDir` yes, else no. */
  readonly keepRunning?: boolean
  /** Called with what is being done, a line each, while servers start. */
  readonly onProgress?: (message: string) => void
}

/** How long a server that is still starting may take to stop when another one has failed. */
const abandonGraceMs = 3_000

/**
 * Starts real servers on this machine and resolves when all can be used. They end with this process, also when it is
 * killed. Throws a `StackError` that says what to do; then nothing is left running.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  checkOptions(options)
  const { onProgress = () => {} } = options
  const given = usesEnvironment(options) ? readEnvironment() : {}
  await checkEnvironment(options, given)
  const folder = options.dataDir === undefined ? DataFolder.temporary() : DataFolder.open(options.dataDir)
  let stack: Stack | undefined
  try {
    const records = new RunRecords(folder)
    await records.endLeftovers(10_000, onProgress)
    if (options.clean) folder.clean()
    const supervisor = new Supervisor({ logDir: folder.file('logs'), onEvent: (event) => records.note(event) })
    stack = new Stack(folder, supervisor)
    const keepRunning = options.keepRunning ?? !folder.temporary
    await startServers(stack, options, given, { folder, supervisor, ports: new Ports(), keepRunning, onProgress })
    stack.started()
    return stack
  } catch (error) {
    if (stack) await stack.close()
    else folder.close()
    throw error
  }
}

function checkOptions(options: StackOptions): void {
  requireKnownOptions('', options, {
    kafka: true,
    postgres: true,
    redis: true,
    dataDir: true,
    clean: true,
    environment: true,
    keepRunning: true,
    onProgress: true,
  })
  const { kafka, postgres, redis } = options
  if (typeof kafka === 'object') checkKafkaOptions(kafka)
  if (typeof postgres === 'object') requireKnownOptions('postgres.', postgres, { port: true, settings: true })
  if (typeof redis === 'object') requireKnownOptions('redis.', redis, { port: true })
}

function usesEnvironment({ environment, dataDir }: StackOptions): boolean {
  if (environment) return environment === 'use'
  return dataDir !== undefined || process.env['SLUICE_TEST_USE_ENV'] === '1'
}

/** All at once. When one fails the others are ended, and the error of the first is thrown when all have come to an end. */
async function startServers(
  stack: Stack,
  { kafka, postgres, redis }: StackOptions,
  given: EnvironmentServers,
  context: StackContext,
): Promise<void> {
  const secrets = loadSecrets(context.folder)
  const parts: Promise<void>[] = []
  if (kafka) parts.push(openKafka(asOptions(kafka), given.kafka, context).then((kafka) => stack.publish({ kafka })))
  if (postgres) {
    const opening = openPostgres(asOptions(postgres), given.postgres, secrets.postgres, context)
    parts.push(opening.then((postgres) => stack.publish({ postgres })))
  }
  if (redis) {
    const opening = openRedis(asOptions(redis), given.redis, secrets.redis, context)
    parts.push(opening.then((redis) => stack.publish({ redis })))
  }
  try {
    await Promise.all(parts)
  } catch (error) {
    await context.supervisor.close(context.folder.temporary ? 0 : abandonGraceMs)
    await Promise.allSettled(parts)
    throw error
  }
}

/** What the environment names must answer before anything of our own is started. */
async function checkEnvironment({ kafka, postgres, redis }: StackOptions, given: EnvironmentServers): Promise<void> {
  if (kafka && given.kafka) await checkKafka(given.kafka)
  if (postgres && given.postgres) await checkPostgres(given.postgres)
  if (redis && given.redis) await checkRedis(given.redis)
}

function asOptions<T extends object>(value: true | T): T {
  return value === true ? ({} as T) : value
}

async function openKafka(
  options: KafkaOptions,
  given: EnvironmentServers['kafka'],
  context: StackContext,
): Promise<KafkaServers> {
  if (!given) return KafkaCluster.start(options, context)
  context.onProgress(`using the Kafka that ${given.variable} names`)
  return new GivenKafka(given.bootstrapServers)
}

async function openPostgres(
  options: PostgresOptions,
  given: EnvironmentServers['postgres'],
  password: string,
  context: StackContext,
): Promise<PostgresServer> {
  if (!given) return startPostgres(options, password, context)
  context.onProgress(`using the PostgreSQL that ${given.variable} names`)
  return { url: given.url }
}

async function openRedis(
  options: RedisOptions,
  given: EnvironmentServers['redis'],
  password: string,
  context: StackContext,
): Promise<RedisServer> {
  if (!given) return startRedis(options, password, context)
  context.onProgress(`using the Redis that ${given.variable} names`)
  return { url: given.url }
}
