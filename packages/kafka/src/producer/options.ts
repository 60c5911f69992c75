import { ConfigError, systemClock } from '@sluice/flow'
import { requireInteger, requireNumber, requireOneOf } from '@sluice/flow/internal'
import type { Clock } from '@sluice/flow'
import { Backoff } from '../async/backoff.ts'
import type { Compression } from '../batch/batch.ts'
import { compressions } from '../batch/compression.ts'
import { requireKnownFields } from '../known-fields.ts'
import type { AddHeadersOptions, AddHeadersConfig } from '../outgoing/added-headers.ts'

/** What the leader waits for before it acknowledges: all in-sync replicas, itself alone, or nothing at all. */
export type Acks = 'all' | 1 | 0

/** What `kafka.producer` takes. */
export interface ProducerOptions {
  /**
   * Default `'all'`. 1 and 0 can lose acknowledged records, and need `idempotent: false` beside them. Kafka: `acks`.
   */
  readonly acks?: Acks | undefined
  /** Lets brokers refuse duplicates and gaps (KIP-98). Default true. Kafka: `enable.idempotence`. */
  readonly idempotent?: boolean | undefined
  /**
   * How long an open batch may wait for more records, 0 or more and below `deliveryTimeoutMs`. Default 10. Nothing
   * lingers while the queue is throttled or somebody waits. Kafka: `linger.ms`.
   */
  readonly lingerMs?: number | undefined
  /**
   * Size of a batch before compression, at least 1. Default 65,536. A larger record has a batch of its own. Kafka:
   * `batch.size`.
   */
  readonly batchBytes?: number | undefined
  /**
   * Kafka's `compression.type`. Default `'lz4'`. All readers of the topic have to know it: kafkajs reads `none` and
   * `gzip` alone unless it is given plugins, and ends at the first batch that it cannot read. Kafka:
   * `compression.type`.
   */
  readonly compression?: Compression | undefined
  /**
   * From acceptance into the queue until the record is given up, at least 1. Default 120,000. Kafka:
   * `delivery.timeout.ms`.
   */
  readonly deliveryTimeoutMs?: number | undefined
  /**
   * How long a broker may wait for the acknowledgements of its replicas, at least 1. Default 30,000. How long an answer
   * may take in all is the `requestTimeoutMs` of `Kafka`. Kafka: `request.timeout.ms` of a producer.
   */
  readonly requestTimeoutMs?: number | undefined
  /**
   * Attempts after the first one, 0 or more. Default Infinity: the delivery timeout alone decides. Kafka: `retries`.
   */
  readonly retries?: number | undefined
  /**
   * Pause before the first retry, at least 1; doubles with each further one, and is shortened by up to a half at
   * random. Default 100. Kafka: `retry.backoff.ms`.
   */
  readonly retryBackoffMs?: number | undefined
  /** The longest pause between retries, at least `retryBackoffMs`. Default 1,000. Kafka: `retry.backoff.max.ms`. */
  readonly maxRetryBackoffMs?: number | undefined
  /**
   * Requests per broker that are not answered yet, at least 1. Default 5. A partition has one batch in flight at a
   * time. Kafka: `max.in.flight.requests.per.connection`.
   */
  readonly maxInFlightRequests?: number | undefined
  /** Size of a request, at least `batchBytes` and `maxRecordBytes`. Default 1,048,576. Kafka: `max.request.size`. */
  readonly maxRequestBytes?: number | undefined
  /** Size of one record with its batch header, before compression, at least 1. Default 1,048,576. A larger one is refused. */
  readonly maxRecordBytes?: number | undefined
  /** Bounds of the queue in front of the brokers. */
  readonly queue?: QueueOptions | undefined
  /** When a broker that fails is left alone. */
  readonly breaker?: ProducerBreakerOptions | undefined
  /** Default true: as the fields of `AddHeadersOptions` say. False: none, save what a record asks for itself. */
  readonly addHeaders?: boolean | AddHeadersOptions | undefined
  /** Spans and W3C context in headers, where the application has `@opentelemetry/api`. Default true. */
  readonly tracing?: boolean | undefined
  /**
   * What fails for good is written to `<topic>.dlq` before its promise is rejected. Default true; false: nothing is.
   */
  readonly deadLetters?: boolean | DeadLetterOptions | undefined
  readonly clock?: Clock | undefined
}

/** Bounds of what was accepted and is not settled yet. */
export interface QueueOptions {
  /** Records in the queue, at least 1. Default 1,000. */
  readonly maxRecords?: number | undefined
  /**
   * Bytes in the queue, at least 1. Default 33,554,432. A record that is larger passes alone. Kafka: `buffer.memory`.
   */
  readonly maxBytes?: number | undefined
  /**
   * Throttled from here on, in records, from 1 to `maxRecords` (the same share of `maxBytes` counts too). Default 80 %
   * of `maxRecords`.
   */
  readonly highWatermark?: number | undefined
  /** No longer throttled from here down, in records, from 0 and below `highWatermark`. Default 20 % of `maxRecords`. */
  readonly lowWatermark?: number | undefined
  /** Calls of `send` that may wait for room at a time, 0 or more. Default 1,000. */
  readonly maxWaiting?: number | undefined
  /** How long `send` waits for room, 0 or more. Default 1,000. Kafka: `max.block.ms`. */
  readonly maxWaitMs?: number | undefined
  /** A pause for callers that poll `throttled`, 0 or more; nothing in here polls. Default 50. */
  readonly throttleSleepMs?: number | undefined
}

/**
 * Opens when requests fail one after the other, on whichever brokers: the cluster cannot be reached. While it is open no
 * request is sent; then a few are tried, and it closes if they are answered. An answer that reports an error counts as
 * answered. The requests that break together with one connection are one failure.
 */
export interface ProducerBreakerOptions {
  /**
   * `'queue'` (default): records are still taken, and the queue's policy rules once it is full. `'reject'`: whoever sends
   * gets a `CircuitOpenError`, and so does whoever waits for room; what is in the queue stays.
   */
  readonly whenOpen?: 'queue' | 'reject' | undefined
  /** Failures in a row that open it, at least 1. Default 10. */
  readonly failures?: number | undefined
  /** How long it stays open, at least 1. Default 5,000, but at most a tenth of `deliveryTimeoutMs`. */
  readonly openMs?: number | undefined
  /** Requests that must be answered before it closes, at least 1; no more than these are tried. Default 1. */
  readonly trialRequests?: number | undefined
}

/** What becomes of records that a producer gives up. */
export interface DeadLetterOptions {
  /** How long a dead letter may take until it is acknowledged, at least 1. Default 10,000. */
  readonly timeoutMs?: number | undefined
  /**
   * A folder for dead letters that could not be written: they are sent when a producer with the same folder starts.
   * Made with mode 0700 where there is none. Refused with a ConfigError where it is a link, belongs to another user than
   * this one or root, or can be written by everybody: then name a folder inside it. Processes and containers may share
   * it. Default: none, and the rejected promises alone tell of them.
   */
  readonly spoolDir?: string | undefined
  /** What the folder may hold by this producer, at least 1. Default 67,108,864. */
  readonly spoolMaxBytes?: number | undefined
}

export interface DeadLetterConfig {
  readonly timeoutMs: number
  readonly spoolDir: string | undefined
  readonly spoolMaxBytes: number
}

type Defined<T> = { readonly [Field in keyof T]-?: Exclude<T[Field], undefined> }

/** All settings of a producer, checked and filled in. */
export type ProducerConfig = Defined<Omit<ProducerOptions, 'queue' | 'breaker' | 'addHeaders' | 'deadLetters'>> & {
  readonly queue: QueueConfig
  readonly breaker: Defined<ProducerBreakerOptions>
  readonly addHeaders: AddHeadersConfig
  readonly deadLetters: DeadLetterConfig | false
}
export type QueueConfig = Defined<QueueOptions>

/** The pauses between the attempts of one thing. */
export function newBackoff({ retryBackoffMs, maxRetryBackoffMs }: ProducerConfig): Backoff {
  return new Backoff(retryBackoffMs, maxRetryBackoffMs)
}

const producerFields: Readonly<Record<keyof ProducerOptions, true>> = {
  acks: true,
  idempotent: true,
  lingerMs: true,
  batchBytes: true,
  compression: true,
  deliveryTimeoutMs: true,
  requestTimeoutMs: true,
  retries: true,
  retryBackoffMs: true,
  maxRetryBackoffMs: true,
  maxInFlightRequests: true,
  maxRequestBytes: true,
  maxRecordBytes: true,
  queue: true,
  breaker: true,
  addHeaders: true,
  tracing: true,
  deadLetters: true,
  clock: true,
}

const addHeadersFields: Readonly<Record<keyof AddHeadersOptions, true>> = {
  traceId: true,
  timestamp: true,
  idempotencyKey: true,
}

const deadLetterFields: Readonly<Record<keyof DeadLetterOptions, true>> = {
  timeoutMs: true,
  spoolDir: true,
  spoolMaxBytes: true,
}

const breakerFields: Readonly<Record<keyof ProducerBreakerOptions, true>> = {
  whenOpen: true,
  failures: true,
  openMs: true,
  trialRequests: true,
}

const queueFields: Readonly<Record<keyof QueueOptions, true>> = {
  maxRecords: true,
  maxBytes: true,
  highWatermark: true,
  lowWatermark: true,
  maxWaiting: true,
  maxWaitMs: true,
  throttleSleepMs: true,
}

/** @throws ConfigError for a value that makes no sense, alone or beside the others, and for an unknown setting. */
export function parseProducerOptions(options: ProducerOptions = {}): ProducerConfig {
  requireKnownFields('', options, producerFields)
  const idempotent = requireBoolean('idempotent', options.idempotent ?? true)
  const retryBackoffMs = requireNumber('retryBackoffMs', options.retryBackoffMs ?? 100, { min: 1 })
  const maxRetryBackoffMs = options.maxRetryBackoffMs ?? Math.max(1_000, retryBackoffMs)
  const deliveryTimeoutMs = requireNumber('deliveryTimeoutMs', options.deliveryTimeoutMs ?? 120_000, { min: 1 })
  return Object.freeze({
    acks: parseAcks(options.acks ?? 'all', idempotent),
    idempotent,
    lingerMs: parseLinger(options.lingerMs ?? Math.min(10, deliveryTimeoutMs / 2), deliveryTimeoutMs),
    compression: requireOneOf('compression', options.compression ?? 'lz4', compressions),
    deliveryTimeoutMs,
    requestTimeoutMs: requireInteger('requestTimeoutMs', options.requestTimeoutMs ?? 30_000, { min: 1 }),
    retries: requireInteger('retries', options.retries ?? Infinity, { min: 0, max: Infinity }),
    retryBackoffMs,
    maxRetryBackoffMs: requireNumber('maxRetryBackoffMs', maxRetryBackoffMs, { min: retryBackoffMs }),
    maxInFlightRequests: requireInteger('maxInFlightRequests', options.maxInFlightRequests ?? 5, { min: 1 }),
    ...parseSizes(options),
    queue: parseQueueOptions(options.queue),
    breaker: parseBreaker(options.breaker, deliveryTimeoutMs),
    addHeaders: parseAddHeaders(options.addHeaders ?? true),
    tracing: requireBoolean('tracing', options.tracing ?? true),
    deadLetters: parseDeadLetters(options.deadLetters ?? true),
    clock: options.clock ?? systemClock,
  })
}

function parseAcks(acks: Acks, idempotent: boolean): Acks {
  if (acks !== 'all' && acks !== 1 && acks !== 0) throw new ConfigError('acks', acks, "'all', 1 or 0")
  if (idempotent && acks !== 'all') throw new ConfigError('acks', acks, "'all', or idempotent must be false")
  return acks
}

/** A batch that lingers past the delivery timeout would be given up before it is sent. */
function parseLinger(lingerMs: number, deliveryTimeoutMs: number): number {
  requireNumber('lingerMs', lingerMs, { min: 0 })
  if (lingerMs < deliveryTimeoutMs) return lingerMs
  throw new ConfigError('lingerMs', lingerMs, `less than deliveryTimeoutMs, which is ${deliveryTimeoutMs}`)
}

function parseSizes(
  options: ProducerOptions,
): Pick<ProducerConfig, 'batchBytes' | 'maxRecordBytes' | 'maxRequestBytes'> {
  const maxRequestBytes = requireInteger('maxRequestBytes', options.maxRequestBytes ?? 1_048_576, { min: 1 })
  const within = { min: 1, max: maxRequestBytes }
  const batchBytes = options.batchBytes ?? Math.min(65_536, maxRequestBytes)
  const maxRecordBytes = options.maxRecordBytes ?? Math.min(1_048_576, maxRequestBytes)
  return {
    maxRequestBytes,
    batchBytes: requireInteger('batchBytes', batchBytes, within),
    maxRecordBytes: requireInteger('maxRecordBytes', maxRecordBytes, within),
  }
}

function parseBreaker(options: ProducerBreakerOptions = {}, deliveryTimeoutMs: number): ProducerConfig['breaker'] {
  requireKnownFields('breaker.', options, breakerFields)
  const openMs = options.openMs ?? Math.min(5_000, Math.max(1, deliveryTimeoutMs / 10))
  return Object.freeze({
    whenOpen: requireOneOf('breaker.whenOpen', options.whenOpen ?? 'queue', ['queue', 'reject']),
    failures: requireInteger('breaker.failures', options.failures ?? 10, { min: 1 }),
    openMs: requireNumber('breaker.openMs', openMs, { min: 1 }),
    trialRequests: requireInteger('breaker.trialRequests', options.trialRequests ?? 1, { min: 1 }),
  })
}

export function requireBoolean(field: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new ConfigError(field, value, 'true or false')
}

function parseAddHeaders(options: boolean | AddHeadersOptions): AddHeadersConfig {
  if (options === false) return { traceId: false, timestamp: false, idempotencyKey: false }
  const wanted = options === true ? {} : options
  requireKnownFields('addHeaders.', wanted, addHeadersFields)
  return Object.freeze({
    traceId: requireBoolean('addHeaders.traceId', wanted.traceId ?? true),
    timestamp: requireBoolean('addHeaders.timestamp', wanted.timestamp ?? true),
    idempotencyKey: requireBoolean('addHeaders.idempotencyKey', wanted.idempotencyKey ?? false),
  })
}

function parseDeadLetters(options: boolean | DeadLetterOptions): DeadLetterConfig | false {
  if (options === false) return false
  const { timeoutMs = 10_000, spoolDir, spoolMaxBytes = 67_108_864 } = options === true ? {} : options
  if (options !== true) requireKnownFields('deadLetters.', options, deadLetterFields)
  if (spoolDir !== undefined && (typeof spoolDir !== 'string' || spoolDir === '')) {
    throw new ConfigError('deadLetters.spoolDir', spoolDir, 'a folder')
  }
  return Object.freeze({
    timeoutMs: requireNumber('deadLetters.timeoutMs', timeoutMs, { min: 1 }),
    spoolDir,
    spoolMaxBytes: requireInteger('deadLetters.spoolMaxBytes', spoolMaxBytes, { min: 1 }),
  })
}

function parseQueueOptions(options: QueueOptions = {}): QueueConfig {
  requireKnownFields('queue.', options, queueFields)
  const maxRecords = requireInteger('queue.maxRecords', options.maxRecords ?? 1_000, { min: 1 })
  const high = options.highWatermark ?? Math.max(1, Math.floor(maxRecords * 0.8))
  const highWatermark = requireInteger('queue.highWatermark', high, { min: 1, max: maxRecords })
  const low = options.lowWatermark ?? Math.min(highWatermark - 1, Math.floor(maxRecords * 0.2))
  const lowWatermark = requireInteger('queue.lowWatermark', low, { min: 0 })
  if (lowWatermark >= highWatermark) {
    throw new ConfigError('queue.lowWatermark', low, `less than queue.highWatermark, which is ${highWatermark}`)
  }
  return Object.freeze({
    maxRecords,
    maxBytes: requireInteger('queue.maxBytes', options.maxBytes ?? 33_554_432, { min: 1 }),
    highWatermark,
    lowWatermark,
    maxWaiting: requireInteger('queue.maxWaiting', options.maxWaiting ?? 1_000, { min: 0 }),
    maxWaitMs: requireNumber('queue.maxWaitMs', options.maxWaitMs ?? 1_000, { min: 0 }),
    throttleSleepMs: requireNumber('queue.throttleSleepMs', options.throttleSleepMs ?? 50, { min: 0 }),
  })
}
