import { ConfigError } from '@sluice/flow'
import type { Environment, Variables } from './environment.ts'

export type Profile = 'dev' | 'prod'

export interface PostgresConfig {
  readonly url: string
  /** Whether the server's certificate is demanded and checked (`DB_TYPE=cloud`). */
  readonly tls: boolean
}

export interface RedisConfig {
  readonly url: string
}

/** How the programs reach Kafka. The producer's defaults are document 1's. */
export interface KafkaConfig {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly compression: (typeof COMPRESSIONS)[number]
  readonly lingerMs: number
  readonly batchBytes: number
  /** All `KAFKA_*` variables: security, timeouts and what else `Kafka.fromEnv` reads. */
  readonly environment: Variables
}
const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** `dev` has defaults for every address; `prod` wants each of them named. */
export function profileOf(env: Environment): Profile {
  return env.oneOf('SLUICE_PROFILE', ['dev', 'prod'], 'dev')
}

export function kafkaConfig(env: Environment): KafkaConfig {
  mustBeOn(env, 'KAFKA_ENABLED')
  const brokers = env.addresses('KAFKA_BOOTSTRAP_SERVERS', profileOf(env) === 'dev' ? ['localhost:9092'] : undefined)
  const clientId = env.text('KAFKA_CLIENT_ID', 'sesac-producer')
  return {
    brokers,
    clientId,
    environment: Object.freeze({
      ...env.startingWith('KAFKA_'),
      KAFKA_BOOTSTRAP_SERVERS: brokers.join(','),
      KAFKA_CLIENT_ID: clientId,
    }),
    compression: env.oneOf('KAFKA_COMPRESSION_TYPE', COMPRESSIONS, 'gzip'),
    lingerMs: env.integer('KAFKA_LINGER_MS', { min: 0, max: 60_000, default: 10 }),
    batchBytes: env.integer('KAFKA_BATCH_SIZE', { min: 1_024, max: 1_048_576, default: 16_384 }),
  }
}

/** `DATABASE_URL`, or the `POSTGRES_*` parts. */
export function postgresConfig(env: Environment): PostgresConfig {
  const tls = env.oneOf('DB_TYPE', ['local', 'cloud'], 'local') === 'cloud'
  const given = env.url('DATABASE_URL', ['postgres:', 'postgresql:'])
  if (given !== undefined) return { url: given, tls }
  const local = profileOf(env) === 'dev' ? 'localhost' : undefined
  const url = new URL('postgres://host')
  url.hostname = hostname('POSTGRES_HOST', env.text('POSTGRES_HOST', local))
  url.port = String(env.integer('POSTGRES_PORT', { min: 1, max: 65_535, default: 5432 }))
  url.username = encodeURIComponent(env.text('POSTGRES_USER', 'postgres'))
  url.password = encodeURIComponent(env.secret('POSTGRES_PASSWORD'))
  url.pathname = `/${encodeURIComponent(env.text('POSTGRES_DB', 'postgres'))}`
  return { url: url.href, tls }
}

/** `REDIS_URL`, or the `REDIS_*` parts. */
export function redisConfig(env: Environment): RedisConfig {
  mustBeOn(env, 'REDIS_ENABLED')
  const given = env.url('REDIS_URL', ['redis:', 'rediss:'])
  if (given !== undefined) return { url: given }
  const local = profileOf(env) === 'dev' ? 'localhost' : undefined
  const url = new URL('redis://host')
  url.hostname = hostname('REDIS_HOST', env.text('REDIS_HOST', local))
  url.port = String(env.integer('REDIS_PORT', { min: 1, max: 65_535, default: 6379 }))
  url.password = encodeURIComponent(env.secret('REDIS_PASSWORD'))
  return { url: url.href }
}

function hostname(name: string, value: string): string {
  if (/^[A-Za-z0-9._-]+$|^\[[0-9a-fA-F:]+\]$/.test(value)) return value
  if (value.includes('@')) throw ConfigError.hidden(name, 'a host name or address')
  throw new ConfigError(name, value, 'a host name or address')
}

/** Document 1 has switches for the servers; a program that cannot work without one says so at once. */
function mustBeOn(env: Environment, name: string): void {
  if (!env.flag(name, true)) throw new ConfigError(name, 'false', 'true: this program cannot work without it')
}
