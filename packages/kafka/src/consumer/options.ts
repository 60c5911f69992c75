import { ConfigError, type Limit, type Priority } from '@sluice/flow'
import { priorities, requireFunction, requireInteger, requireNumber, requireOneOf } from '@sluice/flow/internal'
import { defaultLimits } from '../batch/decode.ts'
import { type DecodeLimits } from '../batch/decoded.ts'
import type { Isolation } from '../driver/driver.ts'
import { bytes } from '../codecs/bytes.ts'
import { requireKnownFields } from '../known-fields.ts'
import type { OversizePolicy } from '../dead-letters/deliver-letter.ts'
import { requireTopic } from '../record/require-topic.ts'
import { topicPattern, type TopicPattern } from '../record/topic.ts'
import type { ConsumerRecord } from '../incoming/consumer-record.ts'
import { type ConsumerDeadLetterOptions, parseDeadLetters } from './failure/dead-letter-options.ts'
import type { PositionStore } from './position-store.ts'
import type { PrioritySource } from './dispatch/record-priority.ts'
import { unreadablePolicies, type UnreadablePolicy } from '../incoming/unreadable.ts'
import type { AnyTopic, AnySource } from '../record/sources.ts'

/** Which records wait for which: those of a partition, those of a key in it, or none. */
export type ConsumerOrder = 'partition' | 'key' | 'unordered'

/**
 * `none`: an error that names the partitions. A time: the first record of that time or later, by the records' own
 * timestamps; where there is none, the end.
 */
export type ResetPolicy =
  | 'latest'
  | 'earliest'
  | 'none'
  /** Milliseconds since the epoch. */
  | { readonly timeMs: number }
  /** So long before the moment of the reset. */
  | { readonly agoMs: number }

/** The memory budget of a consumer. */
export interface ConsumerGateOptions {
  /** Records in memory; what one fetch brings may pass it by a batch. 1 to 10,000,000, default 1,000. */
  readonly maxRecords?: number
  /** Bytes in memory, the larger of what was fetched and what it decompresses to. From 64 KiB, default 64 MiB. */
  readonly maxBytes?: number
}

/** When a record whose handler failed is handled again. */
export interface HandlerRetryOptions {
  /** Calls of the handler for one record, in all. From 1, default 3. */
  readonly attempts?: number
  /** Wait before the second attempt; doubles with each further one. From 0, default 100. */
  readonly initialMs?: number
  /** Longest wait between attempts. From `initialMs`, default 10,000. */
  readonly maxMs?: number
  /**
   * A wait of at least so long is spent in the group's retry topic for the topic (`<topic>.<group>.retry`, made where
   * there is none) instead of the record's lane, which goes on; with order by key later records of its key go behind it.
   * For orders other than `partition`. From 0, default: never.
   */
  readonly topicAfterMs?: number
  /** Whether another attempt can help after this error. Default: always. */
  readonly isRetryable?: (error: unknown) => boolean
}

/**
 * Called with a record after it has become a dead letter. In a pipe that is after the transaction, when the record is
 * finished: its key, value and headers are there, `rawKey` and `rawValue` are null.
 */
export type DeadLetterListener = (record: ConsumerRecord, error: unknown) => unknown

/** What `kafka.consumer` takes. */
export interface ConsumerOptions<T extends AnySource = AnyTopic> {
  /** The consumer group: 1 to 249 characters. Kafka: `group.id`. */
  readonly group: string
  /**
   * Topics, and patterns of their names (`topicPattern`, or a RegExp for bytes). A pattern finds topics that come into
   * being later too, which are read from their first record, and never dead letters (`.dlq`), retries (`.retry`) or
   * Kafka's own topics. A topic that is named as well is read with its own codecs.
   */
  readonly topics: readonly T[]
  /** How often patterns are matched against the topics of the cluster. From 100, default 30,000. */
  readonly patternRefreshMs?: number
  /** Default `read_committed`: records of aborted and open transactions are not seen. Kafka: `isolation.level`. */
  readonly isolation?: Isolation
  /**
   * Where a partition starts for which the group has no offset, or one that is no longer in the log: Kafka's
   * `auto.offset.reset`. Default `latest`, with a warning where a new group so passes over records. A partition that
   * was added after the group began starts at its first record.
   */
  readonly reset?: ResetPolicy
  /**
   * What is handled one after the other: the records of a partition (the default), those of a key within a partition
   * (one without a key waits for none), or nothing.
   */
  readonly order?: ConsumerOrder
  /**
   * Handlers that run at once: 1 to 10,000, default 10; or a limit that learns from how long they take, such as
   * `gradientLimit()`.
   */
  readonly concurrency?: number | Limit
  /**
   * How important a record is, for orders other than `partition`: the name of a header that says high, medium or low,
   * or a function. Of the records in memory the more important lane goes first; one that has waited for 30 s goes before
   * all that came later. Default, and where the record says nothing: as important as its topic.
   */
  readonly priority?: PrioritySource
  /**
   * How important topics are, by name; the others are medium. Those that are high own a quarter of the gate, and while
   * they use less than a quarter of the slots the next free one is theirs.
   */
  readonly topicPriority?: Readonly<Record<string, Priority>>
  /** A record that has been handled for this long is reported by a `stuck` event. From 1, default 30,000. */
  readonly stuckAfterMs?: number
  /** The memory budget for records that are fetched and not finished. */
  readonly gate?: ConsumerGateOptions
  /**
   * Records of one partition before the next partition's turn, and at most in one batch; under pressure fewer. From 1,
   * default 100. Kafka: `max.poll.records`.
   */
  readonly maxPollRecords?: number
  /**
   * Whether slow handlers, memory or processors near their limit make batches and budget smaller, down to a tenth and
   * never less than a batch; told by `pressure` events. Default true.
   */
  readonly pressure?: boolean
  /**
   * How long a call of the handler may take before its signal is aborted and it counts as failed. From 1, Infinity:
   * never. Default 30,000.
   */
  readonly handlerTimeoutMs?: number
  /** How long a timed-out handler keeps its partition before it is abandoned. From 0, default 30,000. */
  readonly abandonAfterMs?: number
  /** When a record whose handler failed is handled again. */
  readonly retry?: HandlerRetryOptions
  /**
   * Whether a record that fails for good, or cannot be decoded, becomes a dead letter in `<topic>.dlq`, and is finished
   * then. False: the consumer stops with the error instead. Default true, as `{ oversize: 'omit' }`.
   */
  readonly deadLetters?: boolean | ConsumerDeadLetterOptions
  /** Called with a record after it was written as a dead letter. */
  readonly onDeadLetter?: DeadLetterListener
  /** Where positions are kept, together with the handler's effects. Not with `retry.topicAfterMs`. Default: the group's commits. */
  readonly positionStore?: PositionStore
  /**
   * A span for each call of the handler, in the trace that the record's headers carry, where the application has
   * `@opentelemetry/api` and an SDK is registered before `run`. Default true.
   */
  readonly tracing?: boolean
  /** How often finished offsets are committed. From 10, default 1,000. Kafka: `auto.commit.interval.ms`. */
  readonly commitIntervalMs?: number
  /**
   * How long the group waits for this member to give a partition back; half of it is for handlers. From 100, default
   * 300,000. Kafka: `max.poll.interval.ms`.
   */
  readonly rebalanceTimeoutMs?: number
  /**
   * No handler begins once no heartbeat was answered for this long. From 1,000, default 45,000, as the broker's. Kafka:
   * `session.timeout.ms`.
   */
  readonly sessionTimeoutMs?: number
  /**
   * The broker's interval or this one, whichever is shorter. From 50 and less than `sessionTimeoutMs`, default 500: a
   * hand-over waits for it. Kafka: `heartbeat.interval.ms`.
   */
  readonly heartbeatIntervalMs?: number
  /**
   * How long a broker holds a fetch that finds nothing; a resumed partition waits for it. 0 to 10,000 and to half of
   * `requestTimeoutMs`, default 250 or that half. Kafka: `fetch.max.wait.ms`.
   */
  readonly fetchMaxWaitMs?: number
  /**
   * From one partition in one fetch. From 1 KiB, default 1 MiB; a single larger batch still comes whole. Kafka:
   * `max.partition.fetch.bytes`.
   */
  readonly partitionMaxBytes?: number
  /** From all partitions of a broker in one fetch. From 1 KiB, default 4 MiB. Kafka: `fetch.max.bytes`. */
  readonly fetchMaxBytes?: number
  /** A batch that decompresses to more cannot be read. From 1 KiB, default 64 MiB. */
  readonly maxDecodedBytes?: number
  /** A record with more headers cannot be read. From 1, default 10,000. */
  readonly maxHeaders?: number
  /** A record whose headers take more bytes cannot be read. From 1 KiB, default 16 MiB. */
  readonly maxHeaderBytes?: number
  /**
   * What becomes of records that cannot be read: their batch is damaged (one with a bad checksum is fetched once more),
   * its compression is unknown, or they are past `maxDecodedBytes`, `maxHeaders` or `maxHeaderBytes`. `skip`: they count
   * as finished, an `unreadable` event names their offsets, and a process warning follows at most once a minute for each
   * kind. `stop`: the consumer ends with an UnreadableBatchError, and they are not committed. Default `skip`.
   */
  readonly unreadable?: UnreadablePolicy
  /** Static membership: the group keeps this member's partitions while it restarts. Kafka: `group.instance.id`. */
  readonly instanceId?: string
  /**
   * Where this consumer runs, in the words of the brokers' `broker.rack`: partitions are fetched from a replica in the
   * same rack where there is one, if the brokers' `replica.selector.class` is `RackAwareReplicaSelector`, and from the
   * leader again when that replica fails. The group's assignor gets it as well. Kafka: `client.rack`. 1 to 4,096
   * characters. Default: none, every fetch goes to the leader. Kafka: `client.rack`.
   */
  readonly rackId?: string
  /**
   * A folder for the last member id, so that a killed consumer is back in milliseconds instead of a session timeout. It
   * is made where there is none; one that is a link, belongs to another user (root excepted), or can be written by
   * everybody is refused: name a folder inside it. Default: none.
   */
  readonly stateDir?: string
  /** Tells consumers of one group and one `stateDir` apart. Default: the instance id, else `default`. */
  readonly instanceName?: string
}

export interface ConsumerSettings {
  readonly group: string
  /** Those that are named. */
  readonly topics: ReadonlyMap<string, AnyTopic>
  readonly patterns: ReadonlyArray<TopicPattern<unknown, unknown>>
  readonly patternRefreshMs: number
  readonly isolation: Isolation
  readonly reset: ResetPolicy
  /** It was not chosen by the user: what it passes over is worth an event. */
  readonly isResetImplied: boolean
  readonly order: ConsumerOrder
  readonly concurrency: number | Limit
  /** Handlers that run at once to begin with. */
  readonly busyPartitions: number
  readonly priority: PrioritySource | undefined
  readonly topicPriority: ReadonlyMap<string, Priority>
  readonly stuckAfterMs: number
  readonly maxRecords: number
  readonly maxBytes: number
  readonly maxPollRecords: number
  readonly pressure: boolean
  readonly handlerTimeoutMs: number
  readonly abandonAfterMs: number
  readonly attempts: number
  readonly retryInitialMs: number
  readonly retryMaxMs: number
  /** null: never. */
  readonly retryTopicAfterMs: number | null
  readonly isRetryable: (error: unknown) => boolean
  readonly deadLetters: boolean
  readonly oversize: OversizePolicy
  readonly onDeadLetter: DeadLetterListener | undefined
  readonly positionStore: PositionStore | undefined
  readonly tracing: boolean
  readonly commitIntervalMs: number
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly fetchMaxWaitMs: number
  readonly partitionMaxBytes: number
  readonly fetchMaxBytes: number
  /** How much is read of a batch. */
  readonly limits: DecodeLimits
  readonly unreadable: UnreadablePolicy
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly stateDir: string | null
  readonly instanceName: string
}

const KiB = 1_024
const MiB = 1_024 * KiB
const MAX_INT32 = 2 ** 31 - 1
/** The longest group id whose retry topic is still a legal topic name. */
const MAX_GROUP_LENGTH = 249

const consumerFields: Readonly<Record<keyof ConsumerOptions, true>> = {
  group: true,
  topics: true,
  patternRefreshMs: true,
  isolation: true,
  reset: true,
  order: true,
  concurrency: true,
  priority: true,
  topicPriority: true,
  stuckAfterMs: true,
  gate: true,
  maxPollRecords: true,
  pressure: true,
  handlerTimeoutMs: true,
  abandonAfterMs: true,
  retry: true,
  deadLetters: true,
  onDeadLetter: true,
  positionStore: true,
  tracing: true,
  commitIntervalMs: true,
  rebalanceTimeoutMs: true,
  sessionTimeoutMs: true,
  heartbeatIntervalMs: true,
  fetchMaxWaitMs: true,
  partitionMaxBytes: true,
  fetchMaxBytes: true,
  maxDecodedBytes: true,
  maxHeaders: true,
  maxHeaderBytes: true,
  unreadable: true,
  instanceId: true,
  rackId: true,
  stateDir: true,
  instanceName: true,
}

const retryFields: Readonly<Record<keyof HandlerRetryOptions, true>> = {
  attempts: true,
  initialMs: true,
  maxMs: true,
  topicAfterMs: true,
  isRetryable: true,
}

/** @throws ConfigError for the first setting that makes no sense or does not exist. */
export function parseConsumerOptions(options: ConsumerOptions<AnySource>): ConsumerSettings {
  const { gate = {}, retry = {} } = options
  requireKnownFields('', options, consumerFields)
  requireKnownFields('gate.', gate, { maxRecords: true, maxBytes: true })
  requireKnownFields('retry.', retry, retryFields)
  const int32 = (field: string, value: number | undefined, standard: number, min: number): number =>
    requireInteger(field, value ?? standard, { min, max: MAX_INT32 })
  const sources = parseSources(options.topics)
  const attempts = int32('retry.attempts', retry.attempts, 3, 1)
  const sessionTimeoutMs = int32('sessionTimeoutMs', options.sessionTimeoutMs, 45_000, 1_000)
  const concurrency = parseConcurrency(options.concurrency ?? 10)
  const order = requireOneOf('order', options.order ?? 'partition', ['partition', 'key', 'unordered'])
  const initialMs = requireNumber('retry.initialMs', retry.initialMs ?? 100, { min: 0, max: 86_400_000 })
  return Object.freeze({
    group: requireText('group', options.group, MAX_GROUP_LENGTH),
    ...sources,
    patternRefreshMs: int32('patternRefreshMs', options.patternRefreshMs, 30_000, 100),
    isolation: requireOneOf('isolation', options.isolation ?? 'read_committed', ['read_committed', 'read_uncommitted']),
    reset: parseReset(options.reset ?? 'latest'),
    isResetImplied: options.reset === undefined,
    order,
    concurrency,
    busyPartitions: typeof concurrency === 'number' ? concurrency : Math.max(1, Math.floor(concurrency.start().limit)),
    priority: parsePriority(options.priority, order),
    topicPriority: parseTopicPriority(options.topicPriority ?? {}, sources),
    stuckAfterMs: int32('stuckAfterMs', options.stuckAfterMs, 30_000, 1),
    maxRecords: requireInteger('gate.maxRecords', gate.maxRecords ?? 1_000, { min: 1, max: 10_000_000 }),
    maxBytes: requireInteger('gate.maxBytes', gate.maxBytes ?? 64 * MiB, { min: 64 * KiB }),
    maxPollRecords: int32('maxPollRecords', options.maxPollRecords, 100, 1),
    pressure: requireSwitch('pressure', options.pressure ?? true),
    handlerTimeoutMs: requireNumber('handlerTimeoutMs', options.handlerTimeoutMs ?? 30_000, { min: 1, max: Infinity }),
    abandonAfterMs: requireNumber('abandonAfterMs', options.abandonAfterMs ?? 30_000, { min: 0 }),
    attempts,
    retryInitialMs: initialMs,
    retryMaxMs: requireNumber('retry.maxMs', retry.maxMs ?? Math.max(10_000, initialMs), { min: initialMs }),
    retryTopicAfterMs: parseTopicAfterMs(retry.topicAfterMs, order),
    isRetryable: requireFunction('retry.isRetryable', retry.isRetryable ?? (() => true)),
    ...parseDeadLetters(options.deadLetters ?? true),
    onDeadLetter: options.onDeadLetter && requireFunction('onDeadLetter', options.onDeadLetter),
    positionStore: parsePositionStore(options.positionStore, retry),
    tracing: requireSwitch('tracing', options.tracing ?? true),
    commitIntervalMs: int32('commitIntervalMs', options.commitIntervalMs, 1_000, 10),
    rebalanceTimeoutMs: int32('rebalanceTimeoutMs', options.rebalanceTimeoutMs, 300_000, 100),
    sessionTimeoutMs,
    heartbeatIntervalMs: requireInteger('heartbeatIntervalMs', options.heartbeatIntervalMs ?? 500, {
      min: 50,
      max: sessionTimeoutMs - 1,
    }),
    fetchMaxWaitMs: requireInteger('fetchMaxWaitMs', options.fetchMaxWaitMs ?? 250, { min: 0, max: 10_000 }),
    partitionMaxBytes: int32('partitionMaxBytes', options.partitionMaxBytes, MiB, KiB),
    fetchMaxBytes: int32('fetchMaxBytes', options.fetchMaxBytes, 4 * MiB, KiB),
    limits: Object.freeze({
      maxDecodedBytes: int32('maxDecodedBytes', options.maxDecodedBytes, 64 * MiB, KiB),
      maxHeaders: int32('maxHeaders', options.maxHeaders, defaultLimits.maxHeaders, 1),
      maxHeaderBytes: int32('maxHeaderBytes', options.maxHeaderBytes, defaultLimits.maxHeaderBytes, KiB),
    }),
    unreadable: requireOneOf('unreadable', options.unreadable ?? 'skip', unreadablePolicies),
    instanceId: optionalText('instanceId', options.instanceId),
    rackId: optionalText('rackId', options.rackId),
    stateDir: optionalText('stateDir', options.stateDir),
    instanceName: optionalText('instanceName', options.instanceName ?? options.instanceId) ?? 'default',
  })
}

function parseTopicAfterMs(topicAfterMs: number | undefined, order: ConsumerOrder): number | null {
  if (topicAfterMs === undefined) return null
  const ms = requireNumber('retry.topicAfterMs', topicAfterMs, { min: 0 })
  if (order !== 'partition') return ms
  throw inOrderOfPartition('retry.topicAfterMs', ms)
}

function parsePositionStore(
  store: PositionStore | undefined,
  { topicAfterMs }: HandlerRetryOptions,
): PositionStore | undefined {
  if (store === undefined) return undefined
  if (typeof store?.assigned !== 'function' || typeof store.released !== 'function') {
    throw new ConfigError('positionStore', store, 'an object with the functions assigned and released')
  }
  if (topicAfterMs === undefined) return store
  const why = 'retry.topicAfterMs is not supported together with positionStore'
  throw new ConfigError('retry.topicAfterMs', topicAfterMs, 'left out with a positionStore', why)
}

function inOrderOfPartition(field: string, value: unknown): ConfigError {
  const message = `${field} is not allowed with order 'partition', which never reorders records: set order to 'key' or 'unordered'`
  return new ConfigError(field, value, "left out where order is 'partition'", message)
}

function parseReset(reset: ResetPolicy): ResetPolicy {
  if (reset === 'latest' || reset === 'earliest' || reset === 'none') return reset
  const entries = typeof reset === 'object' && reset !== null ? Object.entries(reset) : []
  const [field, value] = entries[0] ?? []
  if (entries.length !== 1 || (field !== 'timeMs' && field !== 'agoMs')) {
    throw new ConfigError('reset', reset, "'latest', 'earliest', 'none', { timeMs } or { agoMs }")
  }
  const ms = requireInteger(`reset.${field}`, value, { min: 0 })
  return Object.freeze(field === 'timeMs' ? { timeMs: ms } : { agoMs: ms })
}

function parseConcurrency(concurrency: number | Limit): number | Limit {
  const isLimit = typeof concurrency === 'object' && typeof concurrency?.next === 'function'
  return isLimit ? concurrency : requireInteger('concurrency', concurrency, { min: 1, max: 10_000 })
}

function parsePriority(priority: ConsumerOptions['priority'], order: ConsumerOrder): PrioritySource | undefined {
  if (priority === undefined) return undefined
  if (order === 'partition') {
    throw inOrderOfPartition('priority', priority)
  }
  if (typeof priority === 'function') return priority
  if (typeof priority === 'string' && priority.length > 0) return priority
  throw new ConfigError('priority', priority, 'the name of a header, or a function of a record')
}

function parseTopicPriority(
  given: Readonly<Record<string, Priority>>,
  { topics, patterns }: Pick<ConsumerSettings, 'topics' | 'patterns'>,
): ReadonlyMap<string, Priority> {
  if (typeof given !== 'object') throw new ConfigError('topicPriority', given, 'priorities by the names of topics')
  const entries = Object.entries(given).map(([name, priority]) => {
    if (!topics.has(name) && patterns.length === 0) throw new ConfigError('topicPriority', name, 'one of `topics`')
    return [name, requireOneOf(`topicPriority.${name}`, priority, priorities)] as const
  })
  return new Map(entries)
}

function requireSwitch(field: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw new ConfigError(field, value, 'true or false')
}

function requireText(field: string, value: unknown, maxLength: number): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= maxLength) return value
  throw new ConfigError(field, value, `a text of 1 to ${maxLength} characters`)
}

function optionalText(field: string, value: string | undefined): string | null {
  return value === undefined ? null : requireText(field, value, 4_096)
}

function parseSources(sources: readonly AnySource[]): Pick<ConsumerSettings, 'topics' | 'patterns'> {
  if (!Array.isArray(sources)) throw new ConfigError('topics', sources, 'a list of topics')
  if (sources.length === 0) {
    throw new ConfigError('topics', sources, 'a list of at least one', 'topics is empty: name at least one topic')
  }
  const topics = new Map<string, AnyTopic>()
  const patterns: TopicPattern<unknown, unknown>[] = []
  for (const source of sources as readonly AnySource[]) {
    if (source instanceof RegExp) patterns.push(topicPattern(source, { key: bytes, value: bytes }))
    else if (typeof source === 'object' && source !== null && 'pattern' in source) {
      patterns.push(topicPattern(source.pattern, { key: source.key, value: source.value }))
    } else {
      const { name } = requireTopic('topics', source)
      if (topics.has(name)) throw new ConfigError('topics', name, 'named once each', `topics lists "${name}" twice`)
      topics.set(name, source)
    }
  }
  return { topics, patterns }
}
