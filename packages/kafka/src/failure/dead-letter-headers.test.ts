import { describe, expect, test } from 'vitest'
import { RecordHeaders } from '../incoming/consumer-record.ts'
import { type DeadLetter, deadLetterHeaders, originalHeaders, readDeadLetter } from './dead-letter-headers.ts'

const toHeaders = (pairs: Iterable<readonly [string, Uint8Array | string | null]>): RecordHeaders =>
  new RecordHeaders(
    Array.from(pairs, ([name, value]) => [Buffer.from(name), value === null ? null : Buffer.from(value)] as const),
  )

const letter: Omit<DeadLetter, 'source'> = {
  topic: 'orders',
  partition: 3,
  offset: 42,
  timestampMs: 1_700_000_000_123,
  group: 'billing',
  attempts: 3,
  stage: 'handler',
  errorClass: 'TypeError',
  errorMessage: 'card refused: ünïcode',
  failedAtMs: 1_700_000_001_000,
  outcome: null,
  replays: 0,
}

test('what is written is what is read', () => {
  expect(readDeadLetter(toHeaders(deadLetterHeaders([], letter)))).toEqual({ source: 'sluice', ...letter })
  const first = { ...letter, partition: 0, offset: 0 }
  expect(readDeadLetter(toHeaders(deadLetterHeaders([], first)))).toEqual({ source: 'sluice', ...first })
  const unwritten = {
    ...letter,
    partition: -1,
    offset: -1,
    group: null,
    attempts: 0,
    outcome: 'unknown',
    replays: 2,
  } as const
  expect(readDeadLetter(toHeaders(deadLetterHeaders([], unwritten)))).toEqual({ source: 'sluice', ...unwritten })
})

test("the document's three headers bear its names, as text", () => {
  const headers = toHeaders(deadLetterHeaders([], letter))
  expect(headers.get('original-topic')).toBe('orders')
  expect(headers.get('error-message')).toBe('card refused: ünïcode')
  expect(headers.get('error-timestamp')).toBe('1700000001000')
})

const bytes = (pairs: Record<string, string>) =>
  Object.entries(pairs).map(([name, value]) => [name, Buffer.from(value)] as const)

describe("a record's own headers", () => {
  const own = bytes({
    attempts: '7',
    'error-message': 'printer on fire',
    'original-topic': 'legacy.orders',
    'retry-count': '3',
    'sluice-letter': 'mine',
    'sluice-kept-attempts': 'odd',
    'kafka_dlt-original-topic': 'of Spring',
    tenant: 'acme',
  })

  test('come back with their own names and in their order, whatever they are called', () => {
    const headers = toHeaders(deadLetterHeaders([...own, ['empty', null]], letter))
    expect(originalHeaders(headers, { source: 'sluice' })).toEqual([...own, ['empty', null]])
  })

  test('do not hide what the letter says', () => {
    expect(readDeadLetter(toHeaders(deadLetterHeaders(own, letter)))).toEqual({ source: 'sluice', ...letter })
  })

  test('come back from a letter of the first version, which had dropped those with the names of its own', () => {
    const first = toHeaders([
      ['tenant', 'acme'],
      ['original-topic', 'orders'],
      ['error-message', 'no'],
      ['attempts', '3'],
      ['kafka_dlt-original-topic', 'of Spring'],
    ])
    expect(readDeadLetter(first)).toMatchObject({ source: 'sluice', topic: 'orders', attempts: 3 })
    const names = originalHeaders(first, { source: 'sluice' }).map(([name]) => name)
    expect(names).toEqual(['tenant', 'kafka_dlt-original-topic'])
  })

  test('of others come back without what they say of the failure', () => {
    const spring = toHeaders([
      ['attempts', '7'],
      ['kafka_dlt-original-topic', 'orders'],
    ])
    expect(originalHeaders(spring, { source: 'spring' }).map(([name]) => name)).toEqual(['attempts'])
    const connect = toHeaders([
      ['attempts', '7'],
      ['__connect.errors.topic', 'orders'],
    ])
    expect(originalHeaders(connect, { source: 'connect' }).map(([name]) => name)).toEqual(['attempts'])
  })

  test('do not grow by a replay', () => {
    const replayed = [...own, ...bytes({ 'sluice-replay-count': '1', 'sluice-original-timestamp': '5' })]
    const headers = toHeaders(deadLetterHeaders(replayed, letter))
    expect(originalHeaders(headers, { source: 'sluice' })).toEqual(own)
  })
})

test('a time in nanoseconds is shown as it came', () => {
  const late = { ...letter, timestampMs: 1_796_063_413_308_000_000 }
  expect(readDeadLetter(toHeaders(deadLetterHeaders([], late)))).toMatchObject({ timestampMs: late.timestampMs })
})

test('a message without end is cut', () => {
  const headers = toHeaders(deadLetterHeaders([], { ...letter, errorMessage: 'x'.repeat(100_000) }))
  expect(headers.get('error-message')).toHaveLength(4_096)
})

test("Spring's dead letters are read", () => {
  const int32 = Buffer.alloc(4)
  int32.writeInt32BE(7)
  const int64 = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(value)
    return bytes
  }
  const headers = toHeaders([
    ['kafka_dlt-original-topic', 'orders'],
    ['kafka_dlt-original-partition', int32],
    ['kafka_dlt-original-offset', int64(99n)],
    ['kafka_dlt-original-timestamp', int64(1_700_000_000_000n)],
    ['kafka_dlt-original-consumer-group', 'billing'],
    ['kafka_dlt-exception-fqcn', 'org.springframework.kafka.listener.ListenerExecutionFailedException'],
    ['kafka_dlt-exception-cause-fqcn', 'java.lang.IllegalStateException'],
    ['kafka_dlt-exception-message', 'Listener failed'],
  ])
  expect(readDeadLetter(headers)).toMatchObject({
    source: 'spring',
    topic: 'orders',
    partition: 7,
    offset: 99,
    timestampMs: 1_700_000_000_000,
    group: 'billing',
    errorClass: 'java.lang.IllegalStateException',
    errorMessage: 'Listener failed',
  })
})

test("Kafka Connect's dead letters are read", () => {
  const headers = toHeaders([
    ['__connect.errors.topic', 'orders'],
    ['__connect.errors.partition', '2'],
    ['__connect.errors.offset', '12'],
    ['__connect.errors.stage', 'VALUE_CONVERTER'],
    ['__connect.errors.exception.class.name', 'org.apache.kafka.connect.errors.DataException'],
    ['__connect.errors.exception.message', 'not JSON'],
  ])
  expect(readDeadLetter(headers)).toMatchObject({
    source: 'connect',
    topic: 'orders',
    partition: 2,
    offset: 12,
    stage: 'value_converter',
    errorMessage: 'not JSON',
  })
})

test('a record without such headers is no dead letter, and numbers that make no sense are unknown', () => {
  expect(readDeadLetter(toHeaders([['trace-id', 'x']]))).toBeUndefined()
  const odd = toHeaders([
    ['original-topic', 'orders'],
    ['original-partition', 'three'],
    ['attempts', '1e999'],
  ])
  expect(readDeadLetter(odd)).toMatchObject({ topic: 'orders', partition: -1, attempts: 0 })
})
