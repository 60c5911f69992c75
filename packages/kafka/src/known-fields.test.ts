import { inspect } from 'node:util'
import { ConfigError } from '@sluice/flow'
import { expect, test } from 'vitest'
import { parseKafkaOptions, type KafkaOptions } from './config.ts'
import { readEnvironment } from './environment/environment.ts'
import { requireKnownFields } from './known-fields.ts'

const fields = { lingerMs: true, maxInFlightRequests: true, queue: true } as const

function errorOf(run: () => unknown): ConfigError {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const unknown = (prefix: string, options: object): ConfigError =>
  errorOf(() => requireKnownFields(prefix, options as typeof fields, fields))

test('an unknown option is named, with the one that was meant', () => {
  expect(unknown('', { linger: 5 }).message).toBe('unknown option `linger`; did you mean `lingerMs`?')
  expect(unknown('sub.', { lingerMS: 5 }).message).toBe('unknown option `sub.lingerMS`; did you mean `sub.lingerMs`?')
  expect(unknown('', { colour: 5 })).toMatchObject({
    field: 'colour',
    allowed: 'one of lingerMs, maxInFlightRequests, queue',
    message: 'unknown option `colour`; the options are lingerMs, maxInFlightRequests, queue',
  })
})

test.each<readonly [string, () => unknown]>([
  ['password', () => parseKafkaOptions({ brokers: ['h'], password: 'hunter2' } as KafkaOptions)],
  ['brokers', () => parseKafkaOptions({ brokers: ['SASL_SSL://user:hunter2@h:9092'] })],
  ['sasl.mechanism', () => parseKafkaOptions({ brokers: ['h'], sasl: { mechanism: 'hunter2' as 'PLAIN' } })],
  [
    'KAFKA_SASL_MECHANISM',
    () =>
      readEnvironment({
        KAFKA_BOOTSTRAP_SERVERS: 'h',
        KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
        KAFKA_SASL_MECHANISM: 'hunter2',
      }),
  ],
])('an error about %s shows no secret, neither in its message nor when it is inspected', (field, run) => {
  const error = errorOf(run)
  expect(error.field).toBe(field)
  expect(error.message).toContain(field)
  expect(inspect(error, { showHidden: true, depth: 9 }) + JSON.stringify(error)).not.toContain('hunter2')
})

test('a password of the environment keeps the blanks at its edges', () => {
  const { sasl } = readEnvironment({
    KAFKA_BOOTSTRAP_SERVERS: 'h',
    KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
    KAFKA_SASL_USERNAME: 'u',
    KAFKA_SASL_PASSWORD: ' hunter2 ',
  }).kafka
  expect(sasl).toMatchObject({ username: 'u', password: ' hunter2 ' })
})
