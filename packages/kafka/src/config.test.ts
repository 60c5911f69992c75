import { ConfigError } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { parseKafkaOptions, type KafkaOptions } from './config.ts'

function refusal(options: KafkaOptions): ConfigError {
  try {
    parseKafkaOptions(options)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('the settings of a Kafka', () => {
  test('are filled in with the defaults and frozen', () => {
    const config = parseKafkaOptions({ brokers: ['localhost', 'b:9093', '[::1]:9094'] })
    expect(config).toMatchObject({
      brokers: [
        { host: 'localhost', port: 9_092 },
        { host: 'b', port: 9_093 },
        { host: '::1', port: 9_094 },
      ],
      clientId: 'sluice',
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 30_000,
    })
    expect(Object.isFrozen(config)).toBe(true)
  })

  test.each(['localhost:notaport', 'localhost:0', 'localhost:65536', 'two words:9092', 'http://localhost:9092'])(
    'the address %j is refused by name',
    (address) => {
      expect(refusal({ brokers: [address] })).toMatchObject({ field: 'brokers', value: address })
    },
  )

  test('ignore empty addresses, as a trailing comma leaves them, but want one', () => {
    expect(parseKafkaOptions({ brokers: ['a:1', '', ' '] }).brokers).toEqual([{ host: 'a', port: 1 }])
    expect(refusal({ brokers: ['', ' '] }).field).toBe('brokers')
  })

  test('take addresses as one text with commas', () => {
    const { brokers } = parseKafkaOptions({ brokers: 'a:1, [::1]:9094,' })
    expect(brokers).toEqual([
      { host: 'a', port: 1 },
      { host: '::1', port: 9_094 },
    ])
    expect(refusal({ brokers: ' , ' }).message).toBe(
      'brokers is empty: name one address or more, such as localhost:9092',
    )
  })

  test('what makes no sense is refused with the field, the value and what is allowed', () => {
    expect(refusal({ brokers: [] }).field).toBe('brokers')
    const late = refusal({ brokers: ['a'], requestTimeoutMs: 0 })
    expect(late.message).toBe('requestTimeoutMs is 0, but must be a whole number from 1 to 2147483647')
    expect(refusal({ brokers: ['a'], clientId: '' }).field).toBe('clientId')
  })

  test('an unknown setting is refused', () => {
    const options = { brokers: ['a'], clientID: 'mine' }
    expect(refusal(options)).toMatchObject({ field: 'clientID', value: undefined })
  })

  test('a secret is never shown', () => {
    const sasl = { mechanism: 'PLAIN', password: 'hunter2' } as const
    const error = refusal({ brokers: ['a'], sasl })
    expect(error.field).toBe('sasl.username')
    expect(JSON.stringify(error) + error.message).not.toContain('hunter2')
  })
})
