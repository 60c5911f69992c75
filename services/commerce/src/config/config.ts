import { ConfigError } from '@sluice/flow'
import { Environment, type Variables } from './environment.ts'
import { kafkaConfig, postgresConfig, profileOf, redisConfig } from './servers.ts'
import type { KafkaConfig, PostgresConfig, Profile, RedisConfig } from './servers.ts'

const SECOND_MS = 1_000
const MAX_INTERVAL_S = 86_400

/** What every program of the service reads. */
export interface ServiceConfig {
  readonly profile: Profile
  readonly logLevel: (typeof LOG_LEVELS)[number]
  /** Where /healthz, /readyz and /metrics are served; port 0 is any free one. */
  readonly http: { readonly host: string; readonly port: number }
  /** A graceful stop that takes longer ends with exit code 1. Default 20,000. */
  readonly stopTimeoutMs: number
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export interface SeederConfig extends ServiceConfig {
  readonly postgres: PostgresConfig
  /** Customers `u_1` to `u_<n>`. Default 10,000. */
  readonly customers: number
  /** Products `p_1` to `p_<n>`. Default 20,000. */
  readonly products: number
}

export interface CacheWorkerConfig extends ServiceConfig {
  readonly postgres: PostgresConfig
  readonly redis: RedisConfig
  /** `CACHE_REFRESH_INTERVAL` is in seconds, as document 1 has it. Default 50. */
  readonly refreshIntervalMs: number
  /** Rows of each table in the cache, 1 to 100,000. Default 1,000. */
  readonly batchSize: number
  /** The share of rows that were never cached, 0 to 1. Default 0.5. */
  readonly newDataRatio: number
}

export interface GeneratorConfig extends ServiceConfig {
  readonly kafka: KafkaConfig
  readonly redis: RedisConfig
  /** Orders a second, evenly, with a tenth as many products. Undefined: the bursts of document 1. */
  readonly ordersPerSecond: number | undefined
  /** With a seed, the same runs over the same cache give the same events. Undefined: random. */
  readonly seed: number | undefined
  /** Folder of the ledger of acknowledged ids. Undefined: none is kept. */
  readonly ledgerDir: string | undefined
}

export interface ConsumerConfig extends ServiceConfig {
  readonly kafka: KafkaConfig
  readonly postgres: PostgresConfig
  readonly group: string
  /** Folder of the consumer's state file, for a fast return after a kill. Undefined: none. */
  readonly stateDir: string | undefined
  /** Name of this instance within the group; one process at a time may use it. */
  readonly instance: string
  /** Records a batch at most, all of one partition, 1 to 10,000. Default 500. */
  readonly maxPollRecords: number
  /** Proofs only: a table without a unique key that is told of every handled record, in the same transaction. */
  readonly handledTable: string | undefined
}

export function seederConfig(variables: Variables): SeederConfig {
  const env = new Environment(variables)
  return Object.freeze({
    ...serviceConfig(env),
    postgres: postgresConfig(env),
    customers: env.integer('SEED_CUSTOMERS', { min: 1, max: 10_000_000, default: 10_000 }),
    products: env.integer('SEED_PRODUCTS', { min: 1, max: 10_000_000, default: 20_000 }),
  })
}

export function cacheWorkerConfig(variables: Variables): CacheWorkerConfig {
  const env = new Environment(variables)
  const refreshIntervalS = env.integer('CACHE_REFRESH_INTERVAL', { min: 1, max: MAX_INTERVAL_S, default: 50 })
  return Object.freeze({
    ...serviceConfig(env),
    postgres: postgresConfig(env),
    redis: redisConfig(env),
    refreshIntervalMs: refreshIntervalS * SECOND_MS,
    batchSize: env.integer('CACHE_BATCH_SIZE', { min: 1, max: 100_000, default: 1_000 }),
    newDataRatio: env.ratio('CACHE_NEW_DATA_RATIO', 0.5),
  })
}

export function generatorConfig(variables: Variables): GeneratorConfig {
  const env = new Environment(variables)
  return Object.freeze({
    ...serviceConfig(env),
    kafka: kafkaConfig(env),
    redis: redisConfig(env),
    ordersPerSecond: env.optionalInteger('ORDER_RATE', { min: 1, max: 1_000_000 }),
    seed: env.optionalInteger('SEED', { min: 0, max: 0xffff_ffff }),
    ledgerDir: env.optional('LEDGER_DIR'),
  })
}

export function consumerConfig(variables: Variables): ConsumerConfig {
  const env = new Environment(variables)
  const handledTable = env.optional('HANDLED_TABLE')
  if (handledTable !== undefined && !/^[a-z_][a-z0-9_]{0,62}$/.test(handledTable)) {
    throw new ConfigError('HANDLED_TABLE', handledTable, 'a lower-case table name of letters, digits and _')
  }
  return Object.freeze({
    ...serviceConfig(env),
    kafka: kafkaConfig(env),
    postgres: postgresConfig(env),
    group: env.text('KAFKA_GROUP_ID', 'commerce-consumer'),
    stateDir: env.optional('STATE_DIR'),
    instance: env.text('INSTANCE_NAME', 'consumer-1'),
    maxPollRecords: env.integer('KAFKA_MAX_POLL_RECORDS', { min: 1, max: 10_000, default: 500 }),
    handledTable,
  })
}

function serviceConfig(env: Environment): ServiceConfig {
  const profile = profileOf(env)
  return {
    profile,
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, profile === 'prod' ? 'info' : 'debug'),
    http: {
      host: env.text('METRICS_HOST', '127.0.0.1'),
      port: env.integer('METRICS_PORT', { min: 0, max: 65_535, default: 0 }),
    },
    stopTimeoutMs: env.integer('STOP_TIMEOUT_MS', { min: 100, max: 600_000, default: 20_000 }),
  }
}
