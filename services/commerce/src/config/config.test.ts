import { ConfigError } from '@sluice/flow'
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { cacheWorkerConfig, consumerConfig, generatorConfig, seederConfig } from './config.ts'

function errorOf(run: () => unknown): ConfigError {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('configuration', () => {
  it('has the defaults of the commerce document', () => {
    expect(cacheWorkerConfig({})).toMatchObject({ refreshIntervalMs: 50_000, batchSize: 1_000, newDataRatio: 0.5 })
    expect(seederConfig({})).toMatchObject({ customers: 10_000, products: 20_000 })
    expect(generatorConfig({}).kafka).toMatchObject({ lingerMs: 10, compression: 'gzip', batchBytes: 16_384 })
    expect(generatorConfig({}).ordersPerSecond).toBeUndefined()
  })

  it('takes the addresses of the servers from either kind of name', () => {
    const parts = {
      POSTGRES_HOST: 'postgres',
      POSTGRES_USER: 'shop',
      POSTGRES_PASSWORD: 'a:b/c',
      REDIS_HOST: 'redis',
      REDIS_PORT: '6380',
    }
    const config = cacheWorkerConfig(parts)
    expect(config.postgres.url).toBe('postgres://shop:a%3Ab%2Fc@postgres:5432/postgres')
    expect(config.redis.url).toBe('redis://redis:6380')
    const urls = { DATABASE_URL: 'postgres://u@h:1/d', REDIS_URL: 'redis://h:2' }
    expect(cacheWorkerConfig(urls)).toMatchObject({
      postgres: { url: urls.DATABASE_URL },
      redis: { url: urls.REDIS_URL },
    })
    const servers = { KAFKA_BOOTSTRAP_SERVERS: 'kafka1:29092, kafka2:29093,kafka3:29094' }
    expect(generatorConfig(servers).kafka.brokers).toEqual(['kafka1:29092', 'kafka2:29093', 'kafka3:29094'])
  })

  it.each([
    ['CACHE_REFRESH_INTERVAL', '0', cacheWorkerConfig],
    ['CACHE_BATCH_SIZE', '1e3', cacheWorkerConfig],
    ['CACHE_NEW_DATA_RATIO', '1.5', cacheWorkerConfig],
    ['REDIS_PORT', '70000', cacheWorkerConfig],
    ['REDIS_URL', 'http://redis', cacheWorkerConfig],
    ['REDIS_HOST', 'bad host', cacheWorkerConfig],
    ['REDIS_ENABLED', 'false', cacheWorkerConfig],
    ['DB_TYPE', 'oracle', cacheWorkerConfig],
    ['LOG_LEVEL', 'loud', cacheWorkerConfig],
    ['METRICS_PORT', '-1', cacheWorkerConfig],
    ['KAFKA_BOOTSTRAP_SERVERS', 'kafka1', generatorConfig],
    ['KAFKA_ENABLED', 'maybe', generatorConfig],
    ['KAFKA_COMPRESSION_TYPE', 'zip', generatorConfig],
    ['ORDER_RATE', '0', generatorConfig],
    ['HANDLED_TABLE', 'orders; drop table orders', consumerConfig],
  ] as const)('names %s, its value %j and what is allowed', (name, value, parse) => {
    const error = errorOf(() => parse({ [name]: value }))
    expect(error).toMatchObject({ code: 'config_invalid', field: name, value })
    expect(error.allowed).not.toBe('')
  })

  it('takes an empty variable as one that is not set', () => {
    expect(seederConfig({ SEED_PRODUCTS: '' }).products).toBe(20_000)
  })

  it('has no default address in the profile prod', () => {
    expect(errorOf(() => generatorConfig({ SLUICE_PROFILE: 'prod' })).field).toBe('KAFKA_BOOTSTRAP_SERVERS')
    expect(errorOf(() => seederConfig({ SLUICE_PROFILE: 'prod' })).field).toBe('POSTGRES_HOST')
    expect(errorOf(() => seederConfig({ SLUICE_PROFILE: 'test' })).allowed).toContain('dev, prod')
  })

  it.each([
    'mysql://shop:secret@db/shop',
    'mysql://shop:p@secret@db/shop',
    'mysql://shop:p/secret@db/shop',
    'mysql://shop@corp:secret@db/shop',
    'mysql://db/shop?password=secret&x=1',
  ])('never shows the password of a mistyped address: %s', (url) => {
    const { message } = errorOf(() => seederConfig({ DATABASE_URL: url }))
    expect(message).not.toContain('secret')
    expect(message).toContain('mysql://')
  })

  it.each([
    ['DATABASE_URL', 'shop:secret@db/shop', seederConfig],
    ['DATABASE_URL', 'postgres:/shop:secret@db', seederConfig],
    ['POSTGRES_HOST', 'shop:secret@db', seederConfig],
    ['KAFKA_BOOTSTRAP_SERVERS', 'SASL_SSL://u:secret@h:9092', generatorConfig],
  ] as const)('shows nothing of %s where a login may stand in it', (name, value, parse) => {
    const error = errorOf(() => parse({ [name]: value }))
    expect(error.field).toBe(name)
    expect(inspect(error)).not.toContain('secret')
  })

  it('takes a password with its blanks', () => {
    const { postgres, redis } = cacheWorkerConfig({ POSTGRES_PASSWORD: ' p ', REDIS_PASSWORD: ' r ' })
    expect(new URL(postgres.url).password).toBe('%20p%20')
    expect(new URL(redis.url).password).toBe('%20r%20')
  })

  it('is frozen', () => {
    expect(Object.isFrozen(seederConfig({}))).toBe(true)
  })

  it('reads just the variables that the README lists', () => {
    const read = new Set<string>()
    const variables = new Proxy<Record<string, string>>(
      {},
      {
        get: (_target, name) => {
          if (typeof name === 'string') read.add(name)
          return undefined
        },
      },
    )
    for (const parse of [seederConfig, cacheWorkerConfig, generatorConfig, consumerConfig]) parse(variables)
    const page = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const listed = [...page.matchAll(/^\| `([A-Z_]+)`/gm)].map((match) => match[1])
    expect(new Set(listed)).toEqual(read)
  })
})
