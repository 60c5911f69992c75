import { ConfigError } from '@sluice/flow'
import { requireFunction, requireInteger } from '@sluice/flow/internal'
import type { HandlerContext } from '../consumer/dispatch/invocation.ts'
import type { ConsumerDeadLetterOptions } from '../consumer/failure/dead-letter-options.ts'
import type { ConsumerOptions, ResetPolicy } from '../consumer/options.ts'
import type { AnyTopic } from '../record/sources.ts'
import type { RecordOf } from '../incoming/record-of.ts'
import type { Compression } from '../batch/batch.ts'
import type { OutgoingRecord, TargetTopic } from '../record/record.ts'
import { parseTransactionOptions, type TransactionConfig } from '../transactions/writer-options.ts'

/** A record for another topic than the pipe's own: see `outputTo`. */
export class TopicOutput {
  readonly topic: TargetTopic<unknown, unknown>
  readonly record: OutgoingRecord<unknown, unknown>

  /** @internal */
  constructor(topic: TargetTopic<unknown, unknown>, record: OutgoingRecord<unknown, unknown>) {
    this.topic = topic
    this.record = record
  }
}

/** What a handler of a pipe returns for a topic that is not the pipe's `to`. */
export function outputTo<K, V>(topic: TargetTopic<K, V>, record: OutgoingRecord<K, V>): TopicOutput {
  return new TopicOutput(topic, record)
}

/** One record that a handler of a pipe returns: of the pipe's `to`, or of another topic by `outputTo`. */
export type OneOutput<To> = TopicOutput | (To extends TargetTopic<infer K, infer V> ? OutgoingRecord<K, V> : never)
/** A record, several, or none; those of other topics by `outputTo`. */
export type PipeOutput<To> = OneOutput<To> | ReadonlyArray<OneOutput<To>> | null | undefined | void

/** Handles one record of a pipe and returns what is to be written. */
export type PipeHandler<From extends AnyTopic, To> = (
  record: RecordOf<From>,
  context: HandlerContext,
) => PipeOutput<To> | Promise<PipeOutput<To>>

/** What a pipe decides by itself: what it reads, and that all that comes of it is committed together. */
const decided = ['topics', 'isolation', 'positionStore'] as const
/** The options of a consumer that a pipe takes as they are. */
export type PipeConsumerOptions = Omit<ConsumerOptions, (typeof decided)[number] | 'commitIntervalMs' | 'deadLetters'>

/** What `kafka.pipe` takes: options of a consumer, and where outputs are written. */
export interface PipeOptions<
  From extends AnyTopic,
  To extends AnyTopic | undefined = undefined,
> extends PipeConsumerOptions {
  /** The topics to read. */
  readonly from: From | readonly From[]
  /**
   * Where a partition starts for which the group has no offset: Kafka's `auto.offset.reset`. Default `earliest`: what
   * promises exactly once passes over nothing unless it is told to.
   */
  readonly reset?: ResetPolicy
  /** Where records go that name no other topic. It must exist. */
  readonly to?: To
  /** Called again where it fails, or where what it did was not committed: its own effects can come twice. */
  readonly handler: PipeHandler<From, To>
  /** As of a consumer, but they are always written: in the transaction that finishes their record. */
  readonly deadLetters?: true | ConsumerDeadLetterOptions
  /**
   * How long outputs wait for others to share their transaction. From 10, default 100. Kafka Streams:
   * `commit.interval.ms`.
   */
  readonly commitIntervalMs?: number
  /**
   * With this many outputs, or with half of `gate.maxBytes`, a transaction is due at once; while as many more wait no
   * handler begins. From 1 to 1,000,000, default 2,000.
   */
  readonly maxOutputs?: number
  /**
   * Has to be the same after a restart, and different for each instance that runs at the same time. Default: the group
   * and the instance's name (`instanceName`, else `instanceId`, else `default`): a deployment of several instances sets
   * one of these three for each, to what stays with it, such as the name of a pod of a stateful set. Kafka:
   * `transactional.id`.
   */
  readonly transactionalId?: string
  /**
   * The brokers abort a transaction that is open for longer. From 1,000, default 10,000. Kafka:
   * `transaction.timeout.ms`.
   */
  readonly transactionTimeoutMs?: number
  /** Of the outputs. Default lz4, which all their readers have to know: kafkajs does not without its LZ4 plugin. */
  readonly compression?: Compression
}

export interface PipeConfig {
  readonly from: readonly AnyTopic[]
  readonly to: AnyTopic | undefined
  readonly handler: PipeHandler<AnyTopic, AnyTopic>
  readonly maxOutputs: number
  readonly transaction: TransactionConfig
  readonly consumer: ConsumerOptions
}

/** Outputs wait for their commit in the gate, beside what waits to be handled. */
const gateRecords = 10_000

/** What is left is the consumer's, which checks it. @throws ConfigError */
export function parsePipeOptions<From extends AnyTopic, To extends AnyTopic | undefined>(
  options: PipeOptions<From, To>,
): PipeConfig {
  const { from, to, handler, maxOutputs, transactionalId, transactionTimeoutMs, compression, ...consumer } = options
  const given: Readonly<Record<string, unknown>> = { ...options }
  for (const field of decided) {
    const value = given[field]
    if (value !== undefined) throw new ConfigError(field, value, 'left out: a pipe decides it')
  }
  const { deadLetters } = given
  if (deadLetters === false) throw new ConfigError('deadLetters', deadLetters, 'true or an object: a pipe writes them')
  const instance = options.instanceName ?? options.instanceId ?? 'default'
  const sources = (Array.isArray(from) ? from : [from]) as readonly AnyTopic[]
  for (const source of sources) {
    if (typeof source?.name !== 'string') throw new ConfigError('from', source, 'a topic, or a list of topics')
  }
  if (to !== undefined && typeof to?.name !== 'string') throw new ConfigError('to', to, 'a topic')
  return {
    from: sources,
    to,
    handler: requireFunction('handler', handler) as PipeConfig['handler'],
    maxOutputs: requireInteger('maxOutputs', maxOutputs ?? 2_000, { min: 1, max: 1_000_000 }),
    transaction: parseTransactionOptions(
      {
        transactionalId: transactionalId ?? `${options.group}.${instance}`,
        timeoutMs: transactionTimeoutMs,
        compression,
      },
      'transactionTimeoutMs',
    ),
    consumer: {
      commitIntervalMs: 100,
      ...consumer,
      topics: sources,
      isolation: 'read_committed',
      // Exactly once begins with the first record there is.
      reset: options.reset ?? 'earliest',
      gate: { maxRecords: gateRecords, ...options.gate },
    },
  }
}
