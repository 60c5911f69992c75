import { ConfigError } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { parseProducerOptions } from './options.ts'
import type { ProducerOptions } from './options.ts'

test('the defaults are safe for data', () => {
  const { clock: _, ...config } = parseProducerOptions()
  expect(config).toEqual({
    acks: 'all',
    idempotent: true,
    deadLetters: { timeoutMs: 10_000, spoolDir: undefined, spoolMaxBytes: 67_108_864 },
    addHeaders: { traceId: true, timestamp: true, idempotencyKey: false },
    tracing: true,
    breaker: { whenOpen: 'queue', failures: 10, openMs: 5_000, trialRequests: 1 },
    lingerMs: 10,
    batchBytes: 65_536,
    compression: 'lz4',
    deliveryTimeoutMs: 120_000,
    requestTimeoutMs: 30_000,
    retries: Infinity,
    retryBackoffMs: 100,
    maxRetryBackoffMs: 1_000,
    maxInFlightRequests: 5,
    maxRequestBytes: 1_048_576,
    maxRecordBytes: 1_048_576,
    queue: {
      maxRecords: 1_000,
      maxBytes: 33_554_432,
      highWatermark: 800,
      lowWatermark: 200,
      maxWaiting: 1_000,
      maxWaitMs: 1_000,
      throttleSleepMs: 50,
    },
  })
})

describe('what others write down for their producers can be written down here', () => {
  const settings: Readonly<Record<string, ProducerOptions>> = {
    'the order pipeline': { acks: 'all', idempotent: true, lingerMs: 10, compression: 'gzip', batchBytes: 16_384 },
    'the order pipeline, tuned': { lingerMs: 5, batchBytes: 32_768, compression: 'lz4' },
    'the reliable producer': {
      acks: 'all',
      retries: 2_147_483_647,
      maxInFlightRequests: 5,
      idempotent: true,
      compression: 'snappy',
      lingerMs: 20,
      batchBytes: 32_768,
      requestTimeoutMs: 30_000,
      deliveryTimeoutMs: 120_000,
    },
    'the alert service, development': {
      acks: 1,
      idempotent: false,
      retries: 3,
      batchBytes: 16_384,
      lingerMs: 5,
      compression: 'lz4',
    },
    'the alert service, production': { acks: 'all', retries: 10, batchBytes: 32_768, queue: { maxBytes: 67_108_864 } },
    'the back-pressure monitor': {
      queue: { maxRecords: 500, highWatermark: 400, lowWatermark: 100, throttleSleepMs: 50 },
    },
  }
  test.each(Object.entries(settings))('%s', (_, options) => {
    const config = parseProducerOptions(options)
    const { queue, ...rest } = options
    expect(config).toMatchObject(rest)
    if (queue) expect(config.queue).toMatchObject(queue)
    expect(Object.isFrozen(config) && Object.isFrozen(config.queue)).toBe(true)
  })
})

test('watermarks follow the maximum where they are not given', () => {
  expect(parseProducerOptions({ queue: { maxRecords: 100_000 } }).queue).toMatchObject({
    highWatermark: 80_000,
    lowWatermark: 20_000,
  })
  expect(parseProducerOptions({ queue: { maxRecords: 1 } }).queue).toMatchObject({ highWatermark: 1, lowWatermark: 0 })
})

describe('a value that makes no sense is an error that names it', () => {
  const bad: readonly (readonly [field: string, options: Readonly<Record<string, unknown>>])[] = [
    ['acks', { acks: 2 }],
    ['acks', { acks: 1 }],
    ['acks', { acks: 0, idempotent: true }],
    ['idempotent', { idempotent: 'yes' }],
    ['lingerMs', { lingerMs: -1 }],
    ['lingerMs', { lingerMs: Number.NaN }],
    ['lingerMs', { lingerMs: 200, deliveryTimeoutMs: 100 }],
    ['batchBytes', { batchBytes: 0 }],
    ['batchBytes', { batchBytes: 2_000_000 }],
    ['maxRecordBytes', { maxRecordBytes: 2_000, maxRequestBytes: 1_000 }],
    ['compression', { compression: 'brotli' }],
    ['deliveryTimeoutMs', { deliveryTimeoutMs: 0 }],
    ['requestTimeoutMs', { requestTimeoutMs: 1.5 }],
    ['retries', { retries: -1 }],
    ['retryBackoffMs', { retryBackoffMs: 0 }],
    ['maxRetryBackoffMs', { retryBackoffMs: 500, maxRetryBackoffMs: 100 }],
    ['maxInFlightRequests', { maxInFlightRequests: 0 }],
    ['queue.maxRecords', { queue: { maxRecords: 0 } }],
    ['queue.highWatermark', { queue: { highWatermark: 1_001 } }],
    ['queue.lowWatermark', { queue: { highWatermark: 200, lowWatermark: 800 } }],
    ['queue.maxWaitMs', { queue: { maxWaitMs: -1 } }],
    ['linger', { linger: 5 }],
    ['queue.maxMessages', { queue: { maxMessages: 5 } }],
    ['breaker.whenOpen', { breaker: { whenOpen: 'drop' } }],
    ['breaker.failures', { breaker: { failures: 0 } }],
    ['breaker.openMs', { breaker: { openMs: 0 } }],
    ['breaker.threshold', { breaker: { threshold: 1 } }],
    ['addHeaders.traceId', { addHeaders: { traceId: 'yes' } }],
    ['addHeaders.traceid', { addHeaders: { traceid: true } }],
    ['tracing', { tracing: 1 }],
    ['deadLetters.spoolDir', { deadLetters: { spoolDir: '' } }],
    ['deadLetters.spoolMaxBytes', { deadLetters: { spoolMaxBytes: 0 } }],
    ['deadLetters.timeoutMs', { deadLetters: { timeoutMs: 0 } }],
    ['deadLetters.topic', { deadLetters: { topic: 'x' } }],
  ]
  test.each(bad)('%s of %o', (field, options) => {
    expect(() => parseProducerOptions(options)).toThrow(ConfigError)
    expect(() => parseProducerOptions(options)).toThrow(expect.objectContaining({ field }))
  })
})
