import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '@sluice/flow'
import { afterAll, describe, expect, test } from 'vitest'
import { readEnvironment, type Environment } from './environment.ts'

const servers = { KAFKA_BOOTSTRAP_SERVERS: 'kafka1:29092, kafka2:29093,kafka3:29094' }

describe('the environment', () => {
  test('sets what it names, and nothing else', () => {
    const { kafka, producer, consumer } = readEnvironment({
      ...servers,
      KAFKA_CLIENT_ID: 'shop',
      KAFKA_ACKS: '-1',
      KAFKA_ENABLE_IDEMPOTENCE: 'true',
      KAFKA_LINGER_MS: '20',
      KAFKA_BATCH_SIZE: '32768',
      KAFKA_COMPRESSION_TYPE: 'snappy',
      KAFKA_RETRIES: '3',
      KAFKA_GROUP_ID: 'billing',
      KAFKA_AUTO_OFFSET_RESET: 'earliest',
      KAFKA_MAX_POLL_RECORDS: '10',
      KAFKA_SESSION_TIMEOUT_MS: '30000',
      KAFKA_HEAP_OPTS: '-Xmx1G',
      KAFKA_DELIVERY_TIMEOUT_MS: '',
    })
    expect(kafka).toMatchObject({
      brokers: ['kafka1:29092', 'kafka2:29093', 'kafka3:29094'],
      clientId: 'shop',
    })
    expect(producer).toMatchObject({
      acks: 'all',
      idempotent: true,
      lingerMs: 20,
      batchBytes: 32_768,
      compression: 'snappy',
      retries: 3,
      deliveryTimeoutMs: undefined,
    })
    expect(consumer).toEqual({ group: 'billing', reset: 'earliest', maxPollRecords: 10, sessionTimeoutMs: 30_000 })
  })

  test.each<readonly [string, string]>([
    ['KAFKA_COMPRESSION_TYPE', 'zip'],
    ['KAFKA_LINGER_MS', 'soon'],
    ['KAFKA_LINGER_MS', '-1'],
    ['KAFKA_ACKS', '2'],
    ['KAFKA_ENABLE_IDEMPOTENCE', 'maybe'],
    ['KAFKA_AUTO_OFFSET_RESET', 'middle'],
    ['KAFKA_SECURITY_PROTOCOL', 'TLS'],
    ['KAFKA_SESSION_TIMEOUT_MS', '1'],
  ])('%s=%s is refused by the name of the variable', (name, value) => {
    expect(refusal({ ...servers, [name]: value })).toMatchObject({ field: name, value })
  })

  test('wants to know where Kafka is, and who asks where that is needed', () => {
    expect(refusal({}).field).toBe('KAFKA_BOOTSTRAP_SERVERS')
    expect(refusal({ ...servers, KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' }).field).toBe('KAFKA_SASL_USERNAME')
  })
})

describe('security in the environment', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-environment-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }

  test('takes authority, certificate and key from files', () => {
    const env = {
      ...servers,
      KAFKA_SECURITY_PROTOCOL: 'SSL',
      KAFKA_SSL_CA_LOCATION: file('ca.pem', 'the authority'),
      KAFKA_SSL_CERTIFICATE_LOCATION: file('client.pem', 'the certificate'),
      KAFKA_SSL_KEY_LOCATION: file('client.key', 'the key'),
      KAFKA_SSL_KEY_PASSWORD: 'open sesame',
    }
    const { tls, sasl } = readEnvironment(env).kafka
    expect(tls).toEqual({ ca: 'the authority', cert: 'the certificate', key: 'the key', passphrase: 'open sesame' })
    expect(sasl).toBeUndefined()
    expect(refusal({ ...env, KAFKA_SSL_KEY_LOCATION: '' }).field).toBe('KAFKA_SSL_KEY_LOCATION')
    expect(refusal({ ...env, KAFKA_SSL_CERTIFICATE_LOCATION: '' }).field).toBe('KAFKA_SSL_CERTIFICATE_LOCATION')
    const missing = refusal({ ...env, KAFKA_SSL_CA_LOCATION: '/no/such.pem' })
    expect(missing.message).toContain('KAFKA_SSL_CA_LOCATION is "/no/such.pem", but must be a PEM file')
    expect(missing.message).toContain('ENOENT')
    expect(missing.message + JSON.stringify(missing)).not.toContain('open sesame')
  })

  test('reads a token file anew each time it is asked', async () => {
    const path = file('token', 'first\n')
    const env = {
      ...servers,
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SASL_MECHANISM: 'OAUTHBEARER',
      KAFKA_SASL_OAUTHBEARER_TOKEN_FILE: path,
    }
    const token = readEnvironment(env).kafka.sasl?.token as () => Promise<string>
    expect(await token()).toBe('first')
    writeFileSync(path, 'second')
    expect(await token()).toBe('second')
    expect(refusal({ ...env, KAFKA_SASL_OAUTHBEARER_TOKEN_FILE: '' }).field).toBe('KAFKA_SASL_OAUTHBEARER_TOKEN')
  })
})

test('the page of settings has every variable that is read, and no other', () => {
  const page = readFileSync(new URL('../../../../docs/settings.md', import.meta.url), 'utf8')
  const documented = Array.from(page.matchAll(/^\| `(KAFKA_\w+)`/gm), ([, name]) => name)
  const read = new Set<string>()
  for (const mechanism of ['PLAIN', 'OAUTHBEARER']) {
    const values: Environment = {
      ...servers,
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SASL_MECHANISM: mechanism,
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD: 'p',
      KAFKA_SASL_OAUTHBEARER_TOKEN: 't',
    }
    readEnvironment(
      new Proxy(values, {
        get(target, name: string) {
          read.add(name)
          return target[name]
        },
      }),
    )
  }
  expect(new Set(documented)).toEqual(read)
})

function refusal(env: Environment): ConfigError {
  try {
    readEnvironment(env)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
