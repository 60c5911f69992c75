import { describe, expect, it } from 'vitest'
import { readEnvironment, withoutPassword } from './environment.ts'

describe('servers that the environment names', () => {
  it('are none where it names none', () => {
    expect(readEnvironment({ POSTGRES_PORT: '5432' })).toEqual({})
  })

  it('are read from the address of each', () => {
    const env = {
      KAFKA_BOOTSTRAP_SERVERS: 'a:9092,b:9093',
      DATABASE_URL: 'postgresql://u:p@h/d',
      REDIS_URL: 'rediss://h:1/2',
    }
    expect(readEnvironment(env)).toEqual({
      kafka: { bootstrapServers: 'a:9092,b:9093', variable: 'KAFKA_BOOTSTRAP_SERVERS' },
      postgres: { url: 'postgresql://u:p@h/d', variable: 'DATABASE_URL' },
      redis: { url: 'rediss://h:1/2', variable: 'REDIS_URL' },
    })
  })

  it('are read from host, port, user and password, whatever characters those hold', () => {
    const env = {
      POSTGRES_HOST: 'db.example',
      POSTGRES_USER: 'me',
      POSTGRES_PASSWORD: 'p@ss/word',
      POSTGRES_DB: 'shop',
      REDIS_HOST: 'cache.example',
      REDIS_PASSWORD: 'a:b',
      REDIS_DB: '3',
    }
    expect(readEnvironment(env)).toEqual({
      postgres: { url: 'postgres://me:p%40ss%2Fword@db.example:5432/shop', variable: 'POSTGRES_HOST' },
      redis: { url: 'redis://:a%3Ab@cache.example:6379/3', variable: 'REDIS_HOST' },
    })
  })

  it('are read where a host is an IPv6 address, and a password holds what a URL would decode', () => {
    const env = { POSTGRES_HOST: '::1', POSTGRES_USER: 'me', POSTGRES_PASSWORD: '50%25', REDIS_HOST: '[::1]' }
    expect(readEnvironment(env)).toEqual({
      postgres: { url: 'postgres://me:50%2525@[::1]:5432/postgres', variable: 'POSTGRES_HOST' },
      redis: { url: 'redis://[::1]:6379/0', variable: 'REDIS_HOST' },
    })
  })

  it.each([
    ['KAFKA_BOOTSTRAP_SERVERS', { KAFKA_BOOTSTRAP_SERVERS: 'localhost' }],
    ['KAFKA_BOOTSTRAP_SERVERS', { KAFKA_BOOTSTRAP_SERVERS: 'localhost:notaport' }],
    ['KAFKA_BOOTSTRAP_SERVERS', { KAFKA_BOOTSTRAP_SERVERS: 'localhost:99999' }],
    ['DATABASE_URL', { DATABASE_URL: 'mysql://localhost/x' }],
    ['POSTGRES_PORT', { POSTGRES_HOST: 'h', POSTGRES_PORT: 'five' }],
    ['REDIS_URL', { REDIS_URL: 'localhost:6379' }],
    ['REDIS_PORT', { REDIS_HOST: 'h', REDIS_PORT: '0' }],
    ['REDIS_DB', { REDIS_HOST: 'h', REDIS_DB: 'first' }],
    ['POSTGRES_HOST', { POSTGRES_HOST: 'db.example:5433' }],
    ['POSTGRES_HOST', { POSTGRES_HOST: 'my host' }],
    ['POSTGRES_HOST', { POSTGRES_HOST: '[nonsense]' }],
    ['REDIS_HOST', { REDIS_HOST: 'me@cache.example' }],
    ['REDIS_HOST', { REDIS_HOST: 'cache.example:6380' }],
  ])('that make no sense are an error that names %s', (variable, env) => {
    expect(() => readEnvironment(env)).toThrow(
      expect.objectContaining({ code: 'environment_invalid', variable, message: expect.stringContaining(variable) }),
    )
  })
})

it.each([
  ['KAFKA_BOOTSTRAP_SERVERS', { KAFKA_BOOTSTRAP_SERVERS: 'SASL_SSL://user:hunter2@h:9092' }],
  ['DATABASE_URL', { DATABASE_URL: 'user:hunter2@h/db' }],
  ['POSTGRES_HOST', { POSTGRES_HOST: 'user:hunter2@h' }],
  ['REDIS_URL', { REDIS_URL: 'http://:hunter2@h' }],
])('an error about %s shows no password that stands in it', (variable, env) => {
  expect(() => readEnvironment(env)).toThrow(
    expect.objectContaining({ variable, message: expect.not.stringContaining('hunter2') }),
  )
})

describe('an address for people', () => {
  it('has no password', () => {
    expect(withoutPassword('postgres://me:secret@h:1/d')).toBe('postgres://me:***@h:1/d')
    expect(withoutPassword('redis://h:1')).toBe('redis://h:1')
  })

  it('has none among its parameters either', () => {
    expect(withoutPassword('postgres://h/d?user=me&password=secret&a=b')).toBe(
      'postgres://h/d?user=me&password=***&a=b',
    )
  })
})
