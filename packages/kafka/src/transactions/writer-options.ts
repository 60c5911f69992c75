import { ConfigError } from '@sluice/flow'
import { requireInteger, requireOneOf } from '@sluice/flow/internal'
import type { Compression } from '../batch/batch.ts'
import { compressions } from '../batch/compression.ts'
import { requireBoolean } from '../producer/options.ts'

/** What everything that writes in transactions may be told. */
export interface TransactionOptions {
  /**
   * Who writes: whoever opens the same id fences the one before, also a process that was killed or frozen. So it has to
   * be the same after a restart, and different for each process that runs at the same time. Kafka: `transactional.id`.
   */
  readonly transactionalId: string
  /**
   * The brokers abort a transaction that is open for longer; it is open while its records are written, not while they
   * are made. From 1,000 to the brokers' `transaction.max.timeout.ms`, default 10,000. Kafka: `transaction.timeout.ms`.
   */
  readonly timeoutMs?: number | undefined
  /**
   * Default lz4, which all readers of the topics have to know: kafkajs does not without its LZ4 plugin. Kafka:
   * `compression.type`.
   */
  readonly compression?: Compression | undefined
  /**
   * Size of one batch before compression; a topic's `max.message.bytes` makes it less. From 1 to 67,108,864, default
   * 262,144. Kafka: `batch.size`.
   */
  readonly batchBytes?: number | undefined
  /** Records carry the trace that is active when they are given, where the application has `@opentelemetry/api`. Default true. */
  readonly tracing?: boolean | undefined
}

export type TransactionConfig = { readonly [Name in keyof TransactionOptions]-?: NonNullable<TransactionOptions[Name]> }

const MAX_INT32 = 2 ** 31 - 1
const maxIdLength = 4_096

/** The names of the fields, for whoever refuses those that do not exist. */
export const transactionFields: Readonly<Record<keyof TransactionOptions, true>> = {
  transactionalId: true,
  timeoutMs: true,
  compression: true,
  batchBytes: true,
  tracing: true,
}

/** @param timeoutField what the timeout is called in errors */
export function parseTransactionOptions(options: TransactionOptions, timeoutField = 'timeoutMs'): TransactionConfig {
  const { transactionalId: id } = options
  if (typeof id !== 'string' || id.length === 0 || id.length > maxIdLength) {
    throw new ConfigError('transactionalId', id, `a text of 1 to ${maxIdLength} characters`)
  }
  const timeoutMs = options.timeoutMs ?? 10_000
  return Object.freeze({
    transactionalId: id,
    timeoutMs: requireInteger(timeoutField, timeoutMs, { min: 1_000, max: MAX_INT32 }),
    compression: requireOneOf('compression', options.compression ?? 'lz4', compressions),
    batchBytes: requireInteger('batchBytes', options.batchBytes ?? 262_144, { min: 1, max: 64 * 1_048_576 }),
    tracing: requireBoolean('tracing', options.tracing ?? true),
  })
}
