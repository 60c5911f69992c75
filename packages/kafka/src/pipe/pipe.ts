import { type Clock } from '@sluice/flow'
import { Emitter, messageOf, promiseOf } from '@sluice/flow/internal'
import type { Cluster } from '../cluster/cluster.ts'
import type { Output, OutputSource } from '../outgoing/output.ts'
import { Consumer, type CloseOptions, type PauseTarget } from '../consumer/consumer.ts'
import { ConsumerRecord } from '../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../consumer/events.ts'
import type { HandlerContext, Invocation } from '../consumer/dispatch/invocation.ts'
import type { AnyTopic } from '../record/sources.ts'
import type { CloseReport } from '../consumer/session.ts'
import type { Log } from '../log/log.ts'
import { transactionLines } from './event-lines.ts'
import { OutputTopics } from '../transactions/output-topics.ts'
import { parsePipeOptions, TopicOutput, type PipeConfig, type PipeOptions, type PipeOutput } from './options.ts'
import { PipeRoute } from './route.ts'
import { readerOfOne } from './read-again.ts'
import { TransactionCommits, type TransactionEvents } from './transaction-commits.ts'
import { TransactionWriter, type TransactionsState } from '../transactions/transaction-writer.ts'
import type { ConsumerState } from '../consumer/consumer-state.ts'

/** Those of a consumer, and what becomes of the transactions. */
export type PipeEvents = Omit<ConsumerEvents, 'committed'> & TransactionEvents

/** What `inspect()` of a pipe returns. */
export interface PipeState extends ConsumerState {
  /** Its transactions. */
  readonly transactions: TransactionsState
}

type Returned = PipeOutput<AnyTopic>

/**
 * Handles the records of topics and writes what comes of them to topics, exactly once: outputs, retries, dead letters
 * and offsets are committed together, or none of them. Handlers run first and what they return waits in memory; only
 * then a transaction begins, and ends as soon as it is written. It runs from the moment it is opened.
 */
export class Pipe implements AsyncDisposable {
  readonly #config: PipeConfig
  readonly #clock: Clock
  readonly #events: Emitter<TransactionEvents>
  readonly #topics: OutputTopics
  readonly #writer: TransactionWriter
  readonly #consumer: Consumer
  readonly #done: Promise<void>
  #isDoneAsked = false

  /**
   * @internal
   * @throws ConfigError; BrokerError where `to` does not exist; ConnectionError and the like
   */
  static async open<From extends AnyTopic, To extends AnyTopic | undefined>(
    cluster: Cluster,
    options: PipeOptions<From, To>,
    clock: Clock,
  ): Promise<Pipe> {
    const config = parsePipeOptions(options)
    const { to, transaction, maxOutputs } = config
    const topics = new OutputTopics(cluster, clock)
    const { compression } = transaction
    const events = new Emitter<TransactionEvents>(
      cluster.log.observer(transactionLines, { group: config.consumer.group }),
    )
    const writer = new TransactionWriter({ ...transaction, cluster, clock, topics })
    const { group, instanceId = null } = config.consumer
    const shared = { cluster, clock, group, instanceId, writer, topics, events, maxOutputs }
    const consumer = await Consumer.open(cluster, config.consumer, clock, {
      route: (parts) => new PipeRoute({ ...parts, topics, compression }),
      commits: (host) =>
        new TransactionCommits({ ...shared, ...host, readAgain: readerOfOne({ ...shared, settings: host.settings }) }),
    })
    try {
      if (to !== undefined) await topics.look(to.name)
      // Before any offset is read: what a predecessor has not committed by then it never will.
      await writer.init()
    } catch (error) {
      await consumer.close()
      throw error
    }
    return new Pipe(config, clock, { events, topics, writer, consumer, log: cluster.log })
  }

  private constructor(
    config: PipeConfig,
    clock: Clock,
    parts: {
      readonly events: Emitter<TransactionEvents>
      readonly topics: OutputTopics
      readonly writer: TransactionWriter
      readonly consumer: Consumer
      readonly log: Log
    },
  ) {
    this.#config = config
    this.#clock = clock
    this.#events = parts.events
    this.#topics = parts.topics
    this.#writer = parts.writer
    this.#consumer = parts.consumer
    this.#done = this.#consumer
      .run((record, context) => this.#handle(record, context))
      .finally(() => this.#writer.close())
    this.#done.catch((error: unknown) => this.#logEnd(parts.log, error))
  }

  get group(): string {
    return this.#consumer.group
  }

  /** Resolves when the pipe is closed. Rejects with what stopped it, after it has been closed in order. */
  get done(): Promise<void> {
    this.#isDoneAsked = true
    return this.#done
  }

  /** Returns the function that takes the listener off again. */
  on<Name extends keyof PipeEvents>(name: Name, listener: (event: PipeEvents[Name]) => unknown): () => void {
    const source: unknown = transactionEvents.has(name) ? this.#events : this.#consumer
    return (source as Pick<Emitter<PipeEvents>, 'on'>).on(name, listener)
  }

  /** As of a consumer. @throws ConfigError for one that is not assigned to this pipe */
  pause(which?: readonly PauseTarget[]): void {
    this.#consumer.pause(which)
  }

  /**
   * As of a consumer.
   * @throws ConfigError for one that is not assigned to this pipe
   */
  resume(which?: readonly PauseTarget[]): void {
    this.#consumer.resume(which)
  }

  /**
   * Stops fetching, waits for the handlers that run, commits what came of them and leaves the group. The first call
   * decides. What the report names is handled again by whoever reads on, unless a transaction that was being ended when
   * the time was up is committed all the same: whoever reads on waits until that is decided.
   * @throws ConfigError for a timeout that makes no sense; nothing is closed then.
   */
  async close(options: CloseOptions = {}): Promise<CloseReport> {
    return await this.#consumer.close(options)
  }

  /** Closes; throws what had stopped the pipe, unless `done` was asked for. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
    if (!this.#isDoneAsked) await this.#done
  }

  inspect(): PipeState {
    return { ...this.#consumer.inspect(), transactions: this.#writer.inspect() }
  }

  #logEnd(log: Log, failure: unknown): void {
    const { group } = this
    const message = `the pipe of ${group} ended: ${messageOf(failure)}`
    // Nobody may have asked for `done` yet, or ever.
    const warns = !this.#isDoneAsked
    log.write({
      kind: `ended ${group}`,
      level: 'error',
      message,
      facts: { event: 'ended', group, err: failure },
      warns,
    })
  }

  /** Without a promise where the handler returns none. */
  #handle(record: ConsumerRecord, context: HandlerContext): unknown {
    const returned = this.#config.handler(record as never, context)
    const promise = promiseOf(returned)
    return promise === undefined
      ? this.#collect(returned as Returned, record, context)
      : promise.then((settled) => this.#collect(settled, record, context))
  }

  /** What cannot be written fails its record: it is an error of the handler. */
  #collect(returned: Returned, record: ConsumerRecord, context: HandlerContext): unknown {
    if (returned === undefined || returned === null) return undefined
    const list = (Array.isArray(returned) ? returned : [returned]) as readonly Exclude<Returned, null | void>[]
    const outputs = list.map((one) => this.#targetOf(one))
    const unknown = outputs.filter(({ topic, record }) => this.#topics.needsLook(topic.name, record.partition))
    const source = {
      offset: record.offset,
      attempt: context.attempt,
      compression: ConsumerRecord.compressionOf(record),
    }
    if (unknown.length === 0) return this.#encode(outputs, source, context)
    return Promise.all(unknown.map(({ topic }) => this.#topics.look(topic.name, context.signal))).then(() =>
      this.#encode(outputs, source, context),
    )
  }

  #targetOf(output: unknown): TopicOutput {
    if (output instanceof TopicOutput) return output
    const { to } = this.#config
    if (typeof output === 'object' && output !== null && to !== undefined) return new TopicOutput(to, output as never)
    throw new TypeError(
      to === undefined
        ? 'a handler of a pipe without `to` returns what `outputTo` makes'
        : 'a handler of a pipe returns a record, a list of records, or null',
    )
  }

  #encode(outputs: readonly TopicOutput[], source: OutputSource, context: HandlerContext): undefined {
    const { compression } = this.#config.transaction
    const options = { nowMs: Math.floor(this.#clock.now()), compression, source }
    const invocation = context as Invocation
    invocation.outputs = outputs.map(({ topic, record }): Output => {
      const trace = invocation.span?.carriedBy(record)
      return this.#topics.encode(topic, record, trace === undefined ? options : { ...options, trace })
    })
  }
}

const transactionEvents: ReadonlySet<string> = new Set<keyof TransactionEvents>(['committed', 'aborted', 'fenced'])
