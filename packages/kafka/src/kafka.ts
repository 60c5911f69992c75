import { ClosedError, ConfigError } from '@sluice/flow'
import { requireNumber } from '@sluice/flow/internal'
import { Admin } from './admin/admin.ts'
import { Cluster, type ClusterState } from './cluster/cluster.ts'
import { closeParts, type KafkaCloseReport } from './close-parts.ts'
import { parseKafkaOptions, type KafkaConfig, type KafkaOptions } from './config.ts'
import { Consumer } from './consumer/consumer.ts'
import type { ConsumerOptions } from './consumer/options.ts'
import type { AnySource, AnyTopic } from './record/sources.ts'
import { openDriver } from './driver/open.ts'
import { defined, readEnvironment, type Environment, type EnvironmentSettings } from './environment/environment.ts'
import type { ProducerOptions } from './producer/options.ts'
import { Producer } from './producer/producer.ts'
import { DeadLetterLog } from './dead-letters/dead-letter-log.ts'
import { Log } from './log/log.ts'
import type { ReaderOptions } from './reader/options.ts'
import { DeadLetterWriter } from './dead-letters/dead-letter-writer.ts'
import { Reader } from './reader/reader.ts'
import { closeGraceMs, TimeLimit } from './time-limit.ts'
import { requireTopicName } from './record/topic.ts'
import type { PipeOptions } from './pipe/options.ts'
import { Pipe } from './pipe/pipe.ts'
import { TransactionalProducer } from './transactions/transactional-producer.ts'
import type { TransactionOptions } from './transactions/writer-options.ts'

/** As a consumer's own; the group may come from the environment. */
export type KafkaConsumerOptions<T extends AnySource> = Omit<ConsumerOptions<T>, 'group'> & {
  readonly group?: string
}

/** As a pipe's own; the group may come from the environment. */
export type KafkaPipeOptions<From extends AnyTopic, To extends AnyTopic | undefined> = Omit<
  PipeOptions<From, To>,
  'group'
> & { readonly group?: string }

/** What `inspect()` of a `Kafka` returns. */
export interface KafkaState {
  /** The brokers that it was given, as host:port. */
  readonly bootstrap: readonly string[]
  readonly clientId: string
  /** What is known of the cluster. */
  readonly cluster: ClusterState
  /** How many it has opened that are not closed. */
  readonly producers: number
  /** Open consumers. */
  readonly consumers: number
  /** Open pipes. */
  readonly pipes: number
  /** Open transactional producers. */
  readonly transactionalProducers: number
  /** Open readers. */
  readonly readers: number
}

/** Less than the 30 s that Kubernetes gives a process to end. */
const defaultCloseTimeoutMs = 20_000

type Defaults = Pick<EnvironmentSettings, 'producer' | 'consumer'>

/**
 * A Kafka cluster: opens producers, consumers and an admin that share its connections and what is known of it.
 * Connects when first used. Closing it closes what it opened.
 */
export class Kafka implements AsyncDisposable {
  readonly #config: KafkaConfig
  readonly #cluster: Cluster
  #defaults: Defaults = { producer: {}, consumer: {} }
  // One that is closed leaves as soon as another one is opened, so that they do not gather.
  readonly #consumers = new Set<Consumer<never>>()
  readonly #producers = new Set<Producer>()
  readonly #pipes = new Set<Pipe>()
  readonly #transactional = new Set<TransactionalProducer>()
  readonly #readers = new Set<Pick<Reader, 'inspect' | 'close'>>()
  #closing: Promise<KafkaCloseReport> | undefined

  /** @throws ConfigError for a setting that makes no sense */
  constructor(options: KafkaOptions) {
    this.#config = parseKafkaOptions(options)
    const { brokers, requestTimeoutMs, metadataMaxAgeMs, logger, clock } = this.#config
    const log = new Log(logger, clock)
    const driver = openDriver({ ...this.#config, bootstrap: brokers })
    this.#cluster = new Cluster({ driver, clock, log, metadataMaxAgeMs, coordinatorTimeoutMs: requestTimeoutMs })
  }

  /**
   * Reads `KAFKA_BOOTSTRAP_SERVERS`, `KAFKA_CLIENT_ID` and the like; those of producers and consumers become their
   * defaults. docs/settings.md lists them.
   * @param options what the environment cannot say, such as `logger`; they win over it
   * @throws ConfigError that names the variable
   */
  static fromEnv(env: Environment = process.env, options: Partial<KafkaOptions> = {}): Kafka {
    const { kafka, producer, consumer } = readEnvironment(env)
    const opened = new Kafka({ ...kafka, ...defined(options) })
    opened.#defaults = { producer: defined(producer), consumer }
    return opened
  }

  /** @throws ConfigError; ConnectionError and the like where the cluster cannot be reached */
  async producer(options: ProducerOptions = {}): Promise<Producer> {
    this.#requireOpen()
    const { clock } = this.#config
    const settings = { clock, ...this.#defaults.producer, ...defined(options) }
    const deadLetters = new DeadLetterWriter(this.#cluster, clock, { tracing: settings.tracing })
    const producer = await Producer.open(this.#cluster, settings, deadLetters)
    dropClosed(this.#producers).add(producer)
    return await this.#unlessClosed(producer)
  }

  /** @throws ConfigError; ConnectionError and the like where the cluster cannot be reached */
  async consumer<T extends AnySource>(options: KafkaConsumerOptions<T>): Promise<Consumer<T>> {
    this.#requireOpen()
    const given = { ...this.#defaults.consumer, ...defined(options) } as ConsumerOptions<T>
    const settings = { ...given, fetchMaxWaitMs: fetchMaxWait(given.fetchMaxWaitMs, this.#config.requestTimeoutMs) }
    const consumer = await Consumer.open(this.#cluster, settings, this.#config.clock)
    dropClosed<Consumer<never>>(this.#consumers).add(consumer)
    return await this.#unlessClosed(consumer)
  }

  /**
   * From topics to topics, exactly once: what the handler returns and the offsets of what it was given are committed
   * together. Runs from the moment it is opened; `done` tells of its end.
   * @throws ConfigError; BrokerError where `to` does not exist; ConnectionError and the like
   */
  async pipe<From extends AnyTopic, To extends AnyTopic | undefined = undefined>(
    options: KafkaPipeOptions<From, To>,
  ): Promise<Pipe> {
    this.#requireOpen()
    const { isolation: _, commitIntervalMs: __, reset: ___, ...defaults } = this.#defaults.consumer
    const given = { ...defaults, ...defined(options) } as PipeOptions<From, To>
    const settings = { ...given, fetchMaxWaitMs: fetchMaxWait(given.fetchMaxWaitMs, this.#config.requestTimeoutMs) }
    const pipe = await Pipe.open(this.#cluster, settings, this.#config.clock)
    dropClosed(this.#pipes).add(pipe)
    return await this.#unlessClosed(pipe)
  }

  /**
   * Writes in transactions under an id of its own, and fences whoever wrote under it before.
   * @throws ConfigError; BrokerError, such as `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`; ConnectionError and the like
   */
  async transactionalProducer(options: TransactionOptions): Promise<TransactionalProducer> {
    this.#requireOpen()
    const producer = await TransactionalProducer.open(this.#cluster, options, this.#config.clock)
    dropClosed(this.#transactional).add(producer)
    return await this.#unlessClosed(producer)
  }

  /**
   * Reads topics without a group: for tools and tests, which nobody else should notice.
   * @throws ConfigError; BrokerError for a topic that is not there; ConnectionError and the like
   */
  async reader<T extends AnyTopic>(options: ReaderOptions<T>): Promise<Reader<T>> {
    this.#requireOpen()
    const reader = await Reader.open(this.#cluster, options, this.#config.clock)
    dropClosed(this.#readers).add(reader)
    return await this.#unlessClosed(reader)
  }

  /** The dead letters of a topic: to look at, to send back, to delete. */
  deadLetters(source: string): DeadLetterLog {
    this.#requireOpen()
    requireTopicName('source', source)
    return new DeadLetterLog(this.#cluster, this.#config.clock, source)
  }

  /** Where this client says what happens. For packages that build on it; see docs/logging.md. */
  get log(): Log {
    return this.#cluster.log
  }

  /** Topics, groups and offsets. */
  admin(): Admin {
    this.#requireOpen()
    return new Admin(this.#cluster, this.#config.clock)
  }

  inspect(): KafkaState {
    const { brokers, clientId } = this.#config
    return {
      bootstrap: brokers.map(({ host, port }) => `${host}:${port}`),
      clientId,
      cluster: this.#cluster.inspect(),
      producers: dropClosed(this.#producers).size,
      consumers: dropClosed(this.#consumers).size,
      pipes: dropClosed(this.#pipes).size,
      transactionalProducers: dropClosed(this.#transactional).size,
      readers: dropClosed(this.#readers).size,
    }
  }

  /**
   * Closes the readers, consumers and pipes it opened, then the producers (handlers may still use them), then the
   * connections. `timeoutMs` is for all of it together, from 0 to 86,400,000, default 20,000: each part has what the ones
   * before it have left. Half a second later it has ended whatever the brokers do, and nothing of it keeps the process
   * alive; the report says what was cut short. Idempotent: the first call decides.
   * @throws ConfigError for a time that makes no sense: then nothing is closed.
   */
  close({ timeoutMs = defaultCloseTimeoutMs }: { readonly timeoutMs?: number } = {}): Promise<KafkaCloseReport> {
    try {
      requireNumber('timeoutMs', timeoutMs, { min: 0, max: 86_400_000 })
    } catch (error) {
      return Promise.reject(error)
    }
    this.#closing ??= this.#close(new TimeLimit(this.#config.clock, timeoutMs))
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(limit: TimeLimit): Promise<KafkaCloseReport> {
    const members = [...this.#consumers, ...this.#pipes]
    const parts = { readers: this.#readers, members, transactional: this.#transactional, producers: this.#producers }
    try {
      return await closeParts(parts, limit)
    } finally {
      await this.#cluster.close(limit.leftMs(closeGraceMs.connections))
    }
  }

  #requireOpen(): void {
    if (this.#closing) throw new ClosedError('the Kafka client')
  }

  /** It may have been closed while something was being opened. */
  async #unlessClosed<T extends { close(options: { timeoutMs: number }): Promise<unknown> }>(opened: T): Promise<T> {
    if (!this.#closing) return opened
    await opened.close({ timeoutMs: 0 })
    throw new ClosedError('the Kafka client')
  }
}

function dropClosed<T extends { inspect(): { readonly state: string } }>(opened: Set<T>): Set<T> {
  for (const one of opened) if (one.inspect().state === 'closed') opened.delete(one)
  return opened
}

/** A fetch that may wait as long as any request may take would break its connection whenever there is nothing to read. */
function fetchMaxWait(given: number | undefined, requestTimeoutMs: number): number {
  const max = Math.floor(requestTimeoutMs / 2)
  if (given === undefined) return Math.min(250, max)
  if (given <= max) return given
  throw new ConfigError('fetchMaxWaitMs', given, `at most half of requestTimeoutMs, which is ${max}`)
}
