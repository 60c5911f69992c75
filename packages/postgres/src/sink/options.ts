import { ConfigError } from '@sluice/flow'
import { requireFunction, requireInteger } from '@sluice/flow/internal'
import type {
  AnySource,
  ConsumerDeadLetterOptions,
  ConsumerRecord,
  Kafka,
  KafkaConsumerOptions,
  RecordOf,
} from '@sluice/kafka'
import type { Pool } from 'pg'
import type { Transaction } from '../sql/transaction.ts'
import type { TableOptions } from '../tables.ts'
import type { AnyHandler, SinkContext } from './batch-writer.ts'
import type { Claims } from './claims.ts'
import { tolerant } from './tolerant-codec.ts'

/** The effects of a list of records of one partition, in order, 1 to `batchRecords` of them. */
export type SinkHandler<T extends AnySource> = (
  tx: Transaction,
  records: readonly RecordOf<T>[],
  context: SinkContext,
) => unknown

/** What a consumer has that a sink leaves to its user. */
export type SinkConsumerOptions<T extends AnySource> = Pick<
  KafkaConsumerOptions<T>,
  | 'commitIntervalMs'
  | 'fetchMaxBytes'
  | 'fetchMaxWaitMs'
  | 'gate'
  | 'heartbeatIntervalMs'
  | 'instanceId'
  | 'instanceName'
  | 'isolation'
  | 'maxDecodedBytes'
  | 'maxHeaderBytes'
  | 'maxHeaders'
  | 'partitionMaxBytes'
  | 'patternRefreshMs'
  | 'rackId'
  | 'rebalanceTimeoutMs'
  | 'reset'
  | 'sessionTimeoutMs'
  | 'stateDir'
  | 'tracing'
  | 'unreadable'
>

/** What `postgresSink` takes: where records come from, the database, the handler, and options of its consumer. */
export interface PostgresSinkOptions<T extends AnySource> extends TableOptions, SinkConsumerOptions<T> {
  /** The cluster. Closing the `Kafka` closes the consumer of the sink too. */
  readonly kafka: Kafka
  /** Of `pg`. The sink uses a connection for each partition that is being handled, and one for the relay. */
  readonly pool: Pool
  /**
   * The consumer group. What is in the table of offsets for it decides where it begins; a partition that has no row
   * begins where the group had committed in Kafka, or else by `reset`, whose default is `earliest` here.
   */
  readonly group: string
  /** The topics to read, patterns included. */
  readonly topics: readonly T[]
  /** Called with the records of one partition, in their transaction. */
  readonly handler: SinkHandler<T>
  /** Records in one transaction, at most. 1 to 100,000, default 1,000. */
  readonly batchRecords?: number
  /** Partitions handled at once. From 1, default 10, or what the pool has left. */
  readonly concurrency?: number
  /**
   * How often a record is tried that fails, in all. From 1, default 3. What PostgreSQL refuses (a constraint, a value it
   * cannot take) is not tried again. A statement that `statement_timeout` stops counts as a failure. A handler that does
   * not end within `transactionTimeoutMs` does not: it is tried again for as long as that takes, with a `retrying` event.
   */
  readonly attempts?: number
  /** For the wait for a connection, and for one transaction, the handler included. From 1,000, default 60,000. */
  readonly transactionTimeoutMs?: number
  /**
   * `oversize: 'omit'` (default): a dead letter that is larger than `max.message.bytes` of its topic is written without
   * what makes it too large. `stop`: it stays in the outbox, and the relay emits `refused` with the setting to raise.
   */
  readonly deadLetters?: ConsumerDeadLetterOptions
  /** Whether it sends its dead letters by itself. False: an `outboxRelay` elsewhere does. Default true. */
  readonly relay?: boolean
  /** Told of a record after it lies in the outbox. */
  readonly onDeadLetter?: (record: ConsumerRecord, error: unknown) => unknown
}

export interface SinkSettings {
  readonly handler: AnyHandler
  readonly batchRecords: number
  readonly concurrency: number
  readonly attempts: number
  readonly transactionTimeoutMs: number
  readonly relay: boolean
}

/** Batches that may be in memory while others are being written. */
const BATCHES_AHEAD = 10

/** @throws ConfigError */
export function parseSinkOptions<T extends AnySource>(options: PostgresSinkOptions<T>): SinkSettings {
  const { kafka, pool, handler, relay = true } = options
  if (typeof kafka?.consumer !== 'function') throw new ConfigError('kafka', kafka, 'a Kafka')
  if (typeof pool?.connect !== 'function') throw new ConfigError('pool', pool, 'a Pool of pg')
  if (typeof relay !== 'boolean') throw new ConfigError('relay', relay, 'true or false')
  requireFunction('handler', handler as (...args: never[]) => unknown)
  const connections = (pool.options?.max ?? 10) - (relay ? 1 : 0)
  if (connections < 1) throw new ConfigError('pool', 'of one connection', 'of two at least, since the relay keeps one')
  return Object.freeze({
    handler: handler as unknown as AnyHandler,
    batchRecords: requireInteger('batchRecords', options.batchRecords ?? 1_000, { min: 1, max: 100_000 }),
    concurrency: requireInteger('concurrency', options.concurrency ?? Math.min(10, connections), {
      min: 1,
      max: 10_000,
    }),
    attempts: requireInteger('attempts', options.attempts ?? 3, { min: 1 }),
    transactionTimeoutMs: requireInteger('transactionTimeoutMs', options.transactionTimeoutMs ?? 60_000, {
      min: 1_000,
    }),
    relay,
  })
}

/** Its consumer takes what it cannot handle for its own end: whatever can be mended is mended in the handler. */
export function consumerOptions<T extends AnySource>(
  options: PostgresSinkOptions<T>,
  { batchRecords, concurrency }: SinkSettings,
  claims: Claims,
): KafkaConsumerOptions<T> {
  const {
    kafka: _kafka,
    pool: _pool,
    schema: _schema,
    prefix: _prefix,
    handler: _handler,
    batchRecords: _batchRecords,
    attempts: _attempts,
    transactionTimeoutMs: _transactionTimeoutMs,
    relay: _relay,
    onDeadLetter: _onDeadLetter,
    topics,
    gate,
    ...consumer
  } = options
  return {
    ...consumer,
    // Exactly once begins with the first record there is, whatever KAFKA_AUTO_OFFSET_RESET says for consumers.
    reset: consumer.reset ?? 'earliest',
    topics: topics.map(tolerant),
    gate: { maxRecords: batchRecords * BATCHES_AHEAD, ...gate },
    concurrency,
    maxPollRecords: batchRecords,
    order: 'partition',
    // Smaller batches would only cost more for each record.
    pressure: false,
    handlerTimeoutMs: Infinity,
    deadLetters: false,
    retry: { attempts: 1 },
    positionStore: claims,
  }
}
