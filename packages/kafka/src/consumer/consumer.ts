import { ClosedError, ConfigError, Emitter, requireNumber, systemClock, type Clock } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import type { ConsumerRecord } from './consumer-record.ts'
import type { ConsumerEvents, PartitionPlace } from './events.ts'
import type { HandlerContext } from './invocation.ts'
import { parseConsumerOptions, type AnyTopic, type ConsumerOptions, type ConsumerSettings } from './options.ts'
import { Session, type CloseReport } from './session.ts'
import { StateFile } from './state-file.ts'

/** The records of these topics. */
export type RecordOf<T extends AnyTopic> = T extends AnyTopic
  ? ConsumerRecord<ReturnType<T['key']['decode']>, ReturnType<T['value']['decode']>>
  : never

export type RecordHandler<T extends AnyTopic> = (record: RecordOf<T>, context: HandlerContext) => unknown
/** Records of one partition, in order, from 1 to `maxPollRecords`. */
export type BatchHandler<T extends AnyTopic> = (records: readonly RecordOf<T>[], context: HandlerContext) => unknown

export interface RunOptions {
  /** Closes the consumer when it is aborted. */
  readonly signal?: AbortSignal
}

export interface CloseOptions {
  /** For handlers to end by themselves; then they are aborted. From 0, default 30,000. */
  readonly timeoutMs?: number
}

const nothingLeft: CloseReport = Object.freeze({ abandonedHandlers: 0, uncommitted: [] })

/**
 * A member of a consumer group that hands records to a handler: each partition in order, several partitions at once,
 * never more in memory than the gate lets in. An offset is committed when its handler and all before it have ended
 * well; what was handled and not committed at a crash is handled again.
 */
export class Consumer<T extends AnyTopic = AnyTopic> implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #settings: ConsumerSettings
  readonly #clock: Clock
  readonly #events = new Emitter<ConsumerEvents>()
  readonly #stateFile: StateFile | undefined
  #session: Session | undefined
  #closing: Promise<CloseReport> | undefined
  #state: 'open' | 'running' | 'closing' | 'closed' = 'open'
  #failure: Error | undefined
  readonly #ended = Promise.withResolvers<void>()

  /** @throws ConfigError, StateInUseError, or what keeps the cluster from being reached. */
  static async open<T extends AnyTopic>(
    cluster: Cluster,
    options: ConsumerOptions<T>,
    clock: Clock = systemClock,
  ): Promise<Consumer<T>> {
    const settings = parseConsumerOptions(options)
    await cluster.refresh([...settings.topics.keys()])
    const stateFile = settings.stateDir === null ? undefined : await claimState(cluster, settings, settings.stateDir)
    return new Consumer<T>(cluster, settings, clock, stateFile)
  }

  private constructor(cluster: Cluster, settings: ConsumerSettings, clock: Clock, stateFile: StateFile | undefined) {
    this.#cluster = cluster
    this.#settings = settings
    this.#clock = clock
    this.#stateFile = stateFile
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
   * Joins the group and hands records to the handler until the consumer is closed. Called once.
   * @throws what stopped the consumer, after it has been closed in order: HandlerError, DecodeError, ...
   */
  run(handler: RecordHandler<T>, options?: RunOptions & { readonly batch?: false }): Promise<void>
  run(handler: BatchHandler<T>, options: RunOptions & { readonly batch: true }): Promise<void>
  async run(
    handler: RecordHandler<T> | BatchHandler<T>,
    { batch = false, signal }: RunOptions & { readonly batch?: boolean } = {},
  ): Promise<void> {
    if (typeof handler !== 'function') throw new ConfigError('handler', handler, 'a function')
    if (this.#state === 'running') throw new ConfigError('run', 'called again', 'called once for each consumer')
    if (this.#state !== 'open') throw new ClosedError('The consumer')
    const stop = (): void => this.#stop()
    signal?.addEventListener('abort', stop, { once: true })
    this.#state = 'running'
    this.#session = new Session({
      cluster: this.#cluster,
      settings: this.#settings,
      clock: this.#clock,
      events: this.#events,
      stateFile: this.#stateFile,
      handler,
      batch,
      onFatal: (error) => this.#fail(error),
    })
    this.#tellMissingTopics()
    if (signal?.aborted) stop()
    else await this.#session.start().catch((error: unknown) => this.#fail(error as Error))
    await this.#ended.promise.finally(() => signal?.removeEventListener('abort', stop))
  }

  /** Handles and fetches nothing more of these partitions until `resume`. Ends with the assignment. */
  pause(partitions: readonly PartitionPlace[]): void {
    this.#setPaused(partitions, true)
  }

  resume(partitions: readonly PartitionPlace[]): void {
    this.#setPaused(partitions, false)
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

  inspect() {
    return { group: this.#settings.group, state: this.#state, ...this.#session?.inspect() }
  }

  async #close(timeoutMs: number): Promise<CloseReport> {
    this.#state = 'closing'
    try {
      const report = (await this.#session?.close(timeoutMs)) ?? nothingLeft
      await this.#letGoOfState()
      return report
    } catch (error) {
      this.#failure ??= error as Error
      throw error
    } finally {
      this.#state = 'closed'
      if (this.#failure === undefined) this.#ended.resolve()
      else this.#ended.reject(this.#failure)
    }
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

  #setPaused(partitions: readonly PartitionPlace[], paused: boolean): void {
    for (const { topic, partition } of partitions) {
      if (this.#session?.setPaused(topic, partition, paused)) continue
      throw new ConfigError('partitions', `${topic}/${partition}`, 'assigned to this consumer')
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
