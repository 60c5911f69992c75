import { ClosedError, ConfigError, systemClock, type Clock } from '@sluice/flow'
import { Emitter, requireNumber } from '@sluice/flow/internal'
import type { Cluster } from '../cluster/cluster.ts'
import type { ConsumerEvents } from './events.ts'
import { consumerLines } from './event-lines.ts'
import { LetterCounter } from './letter-counts.ts'
import { byEventType, type EventTypeSource, type HandlersByType } from './handlers.ts'
import type { HandlerContext } from './dispatch/invocation.ts'
import { parseConsumerOptions, type ConsumerOptions, type ConsumerSettings } from './options.ts'
import type { AnySource, AnyTopic } from '../record/sources.ts'
import { DeadLetterRoute } from './failure/dead-letter-route.ts'
import { DeadLetterWriter } from '../dead-letters/dead-letter-writer.ts'
import { RetryRoute } from './failure/retry-route.ts'
import { retryTopic } from '../failure/topic-names.ts'
import { LaneRetries, type FailureRoute } from './failure/failure-route.ts'
import type { AssignedPartition } from './partition.ts'
import { Session, type CloseReport, type SessionOptions } from './session.ts'
import { StateFile } from './group/state-file.ts'
import { ConsumerStream } from './stream/stream.ts'
import { closeGraceMs, TimeLimit } from '../time-limit.ts'
import { loadOpenTelemetry, type OpenTelemetry } from '../tracing/open-telemetry.ts'
import { ProcessTracing } from './dispatch/process-tracing.ts'
import type { ConsumerState } from './consumer-state.ts'
import type { RecordOf } from '../incoming/record-of.ts'

/** Handles one record. The record is finished when it returns, or what it returns is settled. */
export type RecordHandler<T extends AnySource> = (record: RecordOf<T>, context: HandlerContext) => unknown
/** Records of one partition, in order, from 1 to `maxPollRecords`. */
export type BatchHandler<T extends AnySource> = (records: readonly RecordOf<T>[], context: HandlerContext) => unknown

/** What `run` takes beside the handler. */
export interface RunOptions {
  /** Closes the consumer when it is aborted. */
  readonly signal?: AbortSignal
}

/** What `run` takes for a handler of single records. */
export type RecordRunOptions<T extends AnySource> = RunOptions & {
  readonly batch?: false
  /** For handlers by type: the header that says the type, default `event-type`; or a function of the record. */
  readonly eventType?: EventTypeSource<RecordOf<T>>
}

interface RunKind<T extends AnySource> {
  readonly batch?: boolean
  readonly eventType?: EventTypeSource<RecordOf<T>>
}

/** A partition, or all that are assigned of a topic. */
export interface PauseTarget {
  readonly topic: string
  readonly partition?: number
}

/** What `close` of a consumer, or a pipe, takes. */
export interface CloseOptions {
  /**
   * For all that closing does: handlers end by themselves, then what is finished is committed and the group is left.
   * Handlers that still run at the end of it are aborted, and half a second later closing has ended whatever the brokers
   * do: the report names what was cut short. Milliseconds from 0 to 86,400,000, default 30,000.
   */
  readonly timeoutMs?: number
}

/** What a way for failed records is made of. */
export interface RouteParts {
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly deadLetters: DeadLetterWriter
  /** To the retry topics, where there are any. */
  readonly retries: DeadLetterWriter | undefined
}

/** For what commits its offsets in another way, and sends what fails along with them. */
export interface ConsumerSeams extends Pick<SessionOptions, 'commits'> {
  readonly route: (parts: RouteParts) => FailureRoute
}

const nothingLeft: CloseReport = Object.freeze({ abandonedHandlers: 0, uncommitted: [] })

/**
 * A member of a consumer group that hands records to a handler: each partition in order, several partitions at once,
 * never more in memory than the gate lets in. An offset is committed when its handler and all before it have ended
 * well; what was handled and not committed at a crash is handled again.
 */
export class Consumer<T extends AnySource = AnyTopic> implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #settings: ConsumerSettings
  readonly #clock: Clock
  readonly #events: Emitter<ConsumerEvents>
  readonly #letters = new LetterCounter()
  readonly #stateFile: StateFile | undefined
  readonly #openTelemetry: OpenTelemetry | undefined
  readonly #seams: ConsumerSeams | undefined
  readonly #deadLetters: DeadLetterWriter
  /** Writes to the retry topics, where there are any. */
  readonly #retries: DeadLetterWriter | undefined
  #session: Session | undefined
  #stream: Pick<ConsumerStream<never>, 'end'> | undefined
  #closing: Promise<CloseReport> | undefined
  #state: 'open' | 'running' | 'closing' | 'closed' = 'open'
  #failure: Error | undefined
  readonly #ended = Promise.withResolvers<void>()

  /**
   * @internal
   * @throws ConfigError, StateInUseError, or what keeps the cluster from being reached.
   */
  static async open<T extends AnySource>(
    cluster: Cluster,
    options: ConsumerOptions<T>,
    clock: Clock = systemClock,
    seams?: ConsumerSeams,
  ): Promise<Consumer<T>> {
    const settings = parseConsumerOptions(options)
    await cluster.refresh([...settings.topics.keys()])
    const stateFile = settings.stateDir === null ? undefined : await claimState(cluster, settings, settings.stateDir)
    const openTelemetry = settings.tracing ? await loadOpenTelemetry() : undefined
    return new Consumer<T>(cluster, settings, clock, stateFile, openTelemetry, seams)
  }

  private constructor(
    cluster: Cluster,
    settings: ConsumerSettings,
    clock: Clock,
    stateFile: StateFile | undefined,
    openTelemetry: OpenTelemetry | undefined,
    seams: ConsumerSeams | undefined,
  ) {
    const { group, retryTopicAfterMs, tracing } = settings
    this.#seams = seams
    this.#cluster = cluster
    this.#settings = settings
    this.#clock = clock
    this.#stateFile = stateFile
    this.#openTelemetry = openTelemetry
    this.#events = this.#newEvents()
    this.#deadLetters = new DeadLetterWriter(cluster, clock, { tracing })
    const toRetry = { nameOf: (source: string): string => retryTopic(source, group), tracing }
    this.#retries = retryTopicAfterMs === null ? undefined : new DeadLetterWriter(cluster, clock, toRetry)
    // Nobody has to call `run`, and so nobody may be there to hear of a failure.
    this.#ended.promise.catch(() => {})
  }

  get group(): string {
    return this.#settings.group
  }

  /** Returns the function that takes the listener off again. */
  on<Name extends keyof ConsumerEvents>(name: Name, listener: (event: ConsumerEvents[Name]) => unknown): () => void {
    return this.#events.on(name, listener)
  }

  /**
   * Joins the group and hands records to the handler until the consumer is closed. Called once, or `stream` instead. The
   * handler is a function, or one for each type of event, which stands in the header `event-type` unless said otherwise.
   * @throws what stopped the consumer, after it has been closed in order: HandlerError, DecodeError, ...
   */
  run(handler: RecordHandler<T> | HandlersByType<RecordOf<T>>, options?: RecordRunOptions<T>): Promise<void>
  run(handler: BatchHandler<T>, options: RunOptions & { readonly batch: true }): Promise<void>
  async run(
    handler: RecordHandler<T> | BatchHandler<T> | HandlersByType<RecordOf<T>>,
    { batch = false, eventType, signal }: RunOptions & RunKind<T> = {},
  ): Promise<void> {
    this.#requireUnused('run')
    const stop = (): void => this.#stop()
    const run = { handler: toFunction(handler, batch, eventType), batch, settings: this.#settings }
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    else void this.#begin(run)
    await this.#ended.promise.finally(() => signal?.removeEventListener('abort', stop))
  }

  /**
   * The records as a stream for `Flow` or `for await`, each with its ack, taken only as they are asked for. Called once,
   * or `run` instead; joins the group when the first record is asked for. Records come in the order of their partitions
   * and need not be acked in it; with order by key, the next of a key comes when the one before is settled. Leaving the
   * stream (`break`, an error) closes the consumer, and what was not acked by then comes again; closing the consumer ends
   * the stream, and what is out may still be acked for as long as `close` waits. There is no handler timeout.
   */
  stream(): ConsumerStream<RecordOf<T>> {
    this.#requireUnused('stream')
    const settings = streamSettings(this.#settings)
    const stream = new ConsumerStream<RecordOf<T>>({
      begin: (handler, hasDemand) => {
        if (this.#state === 'open') void this.#begin({ handler, batch: false, settings, hasDemand })
        return this.#ended.promise
      },
      demanded: () => this.#session?.demanded(),
      close: () => this.close(),
    })
    this.#stream = stream
    return stream
  }

  /**
   * Handles and fetches nothing more of these partitions, topics, or all there are now, until `resume`. A pause ends with
   * its assignment: a partition that goes to another member, or comes back, is not paused.
   * @throws ConfigError for one that is not assigned to this consumer
   */
  pause(which?: readonly PauseTarget[]): void {
    this.#setPaused(which, true)
  }

  /**
   * Ends the pause of these partitions, topics, or all.
   * @throws ConfigError for one that is not assigned to this consumer
   */
  resume(which?: readonly PauseTarget[]): void {
    this.#setPaused(which, false)
  }

  /**
   * Stops fetching, drops what has not started, waits for the handlers that run, commits what is finished and leaves
   * the group. Idempotent: the first call decides. The report says what had to be given up.
   * @throws ConfigError for a timeout that makes no sense; nothing is closed then.
   */
  async close({ timeoutMs = 30_000 }: CloseOptions = {}): Promise<CloseReport> {
    requireNumber('timeoutMs', timeoutMs, { min: 0, max: 86_400_000 })
    this.#closing ??= this.#close(timeoutMs)
    return await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  inspect(): ConsumerState {
    const deadLetters = this.#letters.inspect()
    return { group: this.#settings.group, state: this.#state, deadLetters, ...this.#session?.inspect() }
  }

  #newEvents(): Emitter<ConsumerEvents> {
    const log = this.#cluster.log.observer(consumerLines, { group: this.#settings.group })
    return new Emitter<ConsumerEvents>((name, event, isHeard) => {
      if (name === 'deadLettered') this.#letters.count(event as ConsumerEvents['deadLettered'])
      log(name, event, isHeard)
    })
  }

  #newRoute(): FailureRoute {
    const shared = { settings: this.#settings, clock: this.#clock, events: this.#events }
    if (this.#seams) return this.#seams.route({ ...shared, deadLetters: this.#deadLetters, retries: this.#retries })
    const inner = this.#settings.deadLetters
      ? new DeadLetterRoute({ ...shared, writer: this.#deadLetters })
      : new LaneRetries(this.#settings)
    return this.#retries === undefined ? inner : new RetryRoute({ ...shared, inner, writer: this.#retries })
  }

  async #close(timeoutMs: number): Promise<CloseReport> {
    this.#state = 'closing'
    // A failure is told once all is closed.
    if (this.#failure === undefined) this.#stream?.end()
    try {
      const limit = new TimeLimit(this.#clock, timeoutMs)
      const report = (await this.#session?.close(limit)) ?? nothingLeft
      await limit.allows(this.#closeWriters(limit.leftMs()), closeGraceMs.leave)
      await this.#letGoOfState()
      return report
    } catch (error) {
      this.#failure ??= error as Error
      throw error
    } finally {
      this.#state = 'closed'
      if (this.#failure === undefined) this.#ended.resolve()
      else this.#endWith(this.#failure)
    }
  }

  #endWith(failure: Error): void {
    const { group } = this.#settings
    const message = `the consumer of ${group} ended: ${failure.message}`
    const facts = { event: 'ended', group, err: failure }
    // A process warning would only repeat what `run` rejects with; a pipe says it itself.
    if (!this.#seams) this.#cluster.log.write({ kind: `ended ${group}`, level: 'error', message, facts, warns: false })
    this.#ended.reject(failure)
  }

  async #closeWriters(timeoutMs: number): Promise<void> {
    await Promise.all([this.#deadLetters.close(timeoutMs), this.#retries?.close(timeoutMs)])
  }

  /** A file that stays costs the next start nothing but the dismissal of a member that is gone. */
  async #letGoOfState(): Promise<void> {
    try {
      await this.#stateFile?.letGo(this.#session?.mayBeKnown !== true)
    } catch (error) {
      this.#events.emit('error', { during: 'state_file', error })
    }
  }

  #fail(error: Error): void {
    if (this.#state !== 'running') return
    this.#failure ??= error
    this.#stop()
  }

  #stop(): void {
    // What goes wrong is what `run` rejects with.
    this.close().catch(() => {})
  }

  #requireUnused(call: 'run' | 'stream'): void {
    if (this.#state === 'closing' || this.#state === 'closed') throw new ClosedError('the consumer')
    if (this.#state === 'open' && this.#stream === undefined) return
    const message = 'call `run` or `stream` once per consumer'
    throw new ConfigError(call, 'called again', 'called once for each consumer, `run` or `stream`', message)
  }

  async #begin(run: Pick<SessionOptions, 'handler' | 'batch' | 'settings' | 'hasDemand'>): Promise<void> {
    this.#state = 'running'
    try {
      this.#session = new Session({
        ...run,
        cluster: this.#cluster,
        clock: this.#clock,
        events: this.#events,
        stateFile: this.#stateFile,
        tracing: ProcessTracing.begin(this.#openTelemetry, this.#settings.group),
        route: this.#newRoute(),
        commits: this.#seams?.commits,
        retries: this.#retries,
        onFatal: (error) => this.#fail(error),
      })
      this.#tellMissingTopics()
      await this.#session.start()
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #setPaused(which: readonly PauseTarget[] | undefined, paused: boolean): void {
    const assigned = [...(this.#session?.partitions ?? [])]
    for (const { topic, partition } of which ?? []) {
      const isThere = assigned.some((one) => fits(one, topic, partition))
      const name = partition === undefined ? topic : `${topic}/${partition}`
      if (!isThere) throw new ConfigError('partitions', name, 'assigned to this consumer')
    }
    for (const one of assigned) {
      const isMeant = which === undefined || which.some(({ topic, partition }) => fits(one, topic, partition))
      if (isMeant) this.#session!.setPaused(one, paused)
    }
  }

  #tellMissingTopics(): void {
    for (const topic of this.#settings.topics.keys()) {
      if (this.#cluster.topic(topic)?.errorCode !== 0) this.#events.emit('topicMissing', { topic })
    }
  }
}

async function claimState(cluster: Cluster, settings: ConsumerSettings, folder: string): Promise<StateFile> {
  const stateFile = new StateFile(folder, cluster.clusterId ?? 'cluster', settings.group, settings.instanceName)
  await stateFile.claim()
  return stateFile
}

function toFunction<T extends AnySource>(
  handler: RecordHandler<T> | BatchHandler<T> | HandlersByType<RecordOf<T>>,
  batch: boolean,
  eventType: EventTypeSource<RecordOf<T>> | undefined,
): SessionOptions['handler'] {
  if (typeof handler === 'function') {
    if (eventType === undefined) return handler
    throw new ConfigError('eventType', eventType, 'left out where one handler takes all')
  }
  if (typeof handler === 'object' && handler !== null && !batch) return byEventType(handler, eventType)
  throw new ConfigError('handler', handler, batch ? 'a function' : 'a function, or an object with one for each type')
}

/** The one who reads the stream decides how much is out, and for how long. */
function streamSettings(settings: ConsumerSettings): ConsumerSettings {
  const order = settings.order === 'partition' ? 'unordered' : settings.order
  return { ...settings, order, concurrency: Number.MAX_SAFE_INTEGER, handlerTimeoutMs: Infinity }
}

const fits = (one: AssignedPartition, topic: string, partition: number | undefined): boolean =>
  one.topicName === topic && (partition === undefined || one.partition === partition)
