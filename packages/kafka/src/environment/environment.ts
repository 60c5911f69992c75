import { ConfigError } from '@sluice/flow'
import { compressions } from '../batch/compression.ts'
import type { KafkaOptions } from '../config.ts'
import type { ConsumerOptions } from '../consumer/options.ts'
import { EnvironmentReader, type Environment } from './reader.ts'
import type { ProducerOptions } from '../producer/options.ts'
import { security } from './security.ts'

export type { Environment }

/** What the environment says, for a `Kafka` and as defaults of its producers and consumers. */
export interface EnvironmentSettings {
  readonly kafka: KafkaOptions
  readonly producer: ProducerOptions
  readonly consumer: Partial<ConsumerOptions>
}

/**
 * Reads the `KAFKA_*` variables; those of other programs are left alone. Empty is the same as unset.
 * @throws ConfigError that names the variable
 */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const read = new EnvironmentReader(env)
  const brokers = read.text('KAFKA_BOOTSTRAP_SERVERS')
  if (brokers === undefined) {
    throw new ConfigError(
      'KAFKA_BOOTSTRAP_SERVERS',
      undefined,
      'addresses of brokers, such as localhost:9092,other:9092',
    )
  }
  return defined({
    kafka: {
      brokers: brokers.split(',').map((address) => address.trim()),
      clientId: read.text('KAFKA_CLIENT_ID'),
      connectTimeoutMs: read.integer('KAFKA_CONNECT_TIMEOUT_MS', 1),
      requestTimeoutMs: read.integer('KAFKA_REQUEST_TIMEOUT_MS', 1),
      maxResponseBytes: read.integer('KAFKA_MAX_RESPONSE_BYTES', 1_048_576),
      metadataMaxAgeMs: read.integer('KAFKA_METADATA_MAX_AGE_MS', 1),
      ...security(read),
    },
    producer: producerOf(read),
    consumer: consumerOf(read),
  })
}

function producerOf(read: EnvironmentReader): ProducerOptions {
  const acks = read.oneOf('KAFKA_ACKS', ['all', '-1', '1', '0'] as const)
  return {
    acks: acks === undefined ? undefined : acks === '1' ? 1 : acks === '0' ? 0 : 'all',
    idempotent: read.boolean('KAFKA_ENABLE_IDEMPOTENCE'),
    lingerMs: read.integer('KAFKA_LINGER_MS', 0),
    batchBytes: read.integer('KAFKA_BATCH_SIZE', 1),
    compression: read.oneOf('KAFKA_COMPRESSION_TYPE', compressions),
    retries: read.integer('KAFKA_RETRIES', 0),
    deliveryTimeoutMs: read.integer('KAFKA_DELIVERY_TIMEOUT_MS', 1),
    maxInFlightRequests: read.integer('KAFKA_MAX_IN_FLIGHT_REQUESTS', 1),
  }
}

function consumerOf(read: EnvironmentReader): Partial<ConsumerOptions> {
  return defined({
    group: read.text('KAFKA_GROUP_ID'),
    reset: read.oneOf('KAFKA_AUTO_OFFSET_RESET', ['latest', 'earliest', 'none'] as const),
    isolation: read.oneOf('KAFKA_ISOLATION_LEVEL', ['read_committed', 'read_uncommitted'] as const),
    rackId: read.text('KAFKA_CLIENT_RACK'),
    maxPollRecords: read.integer('KAFKA_MAX_POLL_RECORDS', 1),
    sessionTimeoutMs: read.integer('KAFKA_SESSION_TIMEOUT_MS', 1_000),
    rebalanceTimeoutMs: read.integer('KAFKA_REBALANCE_TIMEOUT_MS', 100),
    commitIntervalMs: read.integer('KAFKA_COMMIT_INTERVAL_MS', 10),
  }) as Partial<ConsumerOptions>
}

/** The same without what is undefined, so that it does not hide a default when objects are merged. */
export function defined<T extends object>(settings: T): T {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as T
}
