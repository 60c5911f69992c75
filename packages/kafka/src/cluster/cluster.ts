import { ClosedError, type Clock, type Timer } from '@sluice/flow'
import type { BrokerNode, CoordinatorKind, Driver, LeaderHint, TopicMetadata } from '../driver/driver.ts'
import { turnBetween } from '../driver/time-slices.ts'
import { ConnectionError } from '../errors.ts'
import { Log } from '../log/log.ts'
import { Coordinators } from './coordinators.ts'
import { Metadata } from './metadata.ts'
import { Refresher } from './refresher.ts'

export interface ClusterOptions {
  readonly driver: Driver
  readonly clock: Clock
  /** Where its producers and consumers say what happens. Default: process warnings of trouble. */
  readonly log?: Log
  /** How long a group's or a transaction's coordinator is waited for while it is being elected. */
  readonly coordinatorTimeoutMs: number
  /**
   * The topics in use are asked for again at least this often, so that new partitions are noticed; those that were not
   * used for as long are forgotten.
   */
  readonly metadataMaxAgeMs: number
}

/** What a client knows of its cluster. */
export interface ClusterState {
  /** Null until a broker has answered. */
  readonly clusterId: string | null
  /** How many brokers are known. */
  readonly brokers: number
  /** How many topics are known: those that the client uses. */
  readonly topics: number
}

/** What is known of a cluster, and the ways to know better. One a `Kafka`, shared by its producers and consumers. */
export class Cluster implements AsyncDisposable {
  readonly driver: Driver
  readonly log: Log
  readonly #clock: Clock
  readonly metadataMaxAgeMs: number
  readonly #metadata = new Metadata()
  readonly #refresher: Refresher
  readonly #coordinators: Coordinators
  readonly #closing = new AbortController()
  readonly #onReplaced = new Set<() => void>()
  readonly #onForgotten = new Set<(topics: readonly string[]) => void>()
  #ageing: Timer | undefined

  constructor({ driver, clock, log, coordinatorTimeoutMs, metadataMaxAgeMs }: ClusterOptions) {
    this.driver = driver
    this.log = log ?? new Log(undefined, clock)
    this.#clock = clock
    this.metadataMaxAgeMs = metadataMaxAgeMs
    this.#refresher = new Refresher(clock, (topics) => this.#ask(topics))
    this.#coordinators = new Coordinators({ driver, clock, timeoutMs: coordinatorTimeoutMs })
  }

  /** Of the last answer. Null before the first. */
  get clusterId(): string | null {
    return this.#metadata.clusterId
  }

  get brokers(): readonly BrokerNode[] {
    return this.#metadata.brokers
  }

  broker(id: number): BrokerNode | undefined {
    return this.#metadata.broker(id)
  }

  /** As of the last refresh that named it; with an `errorCode` where it does not exist or may not be seen. */
  topic(name: string): TopicMetadata | undefined {
    return this.#metadata.topic(name)
  }

  /** Undefined too for the id of a topic that was deleted and created again since. */
  topicById(id: string): TopicMetadata | undefined {
    return this.#metadata.topicById(id)
  }

  /** Undefined: unknown, or there is none now. */
  leader(topic: string, partition: number): BrokerNode | undefined {
    const known = this.#metadata.partition(topic, partition)
    return known && this.#metadata.broker(known.leader)
  }

  /** -1: unknown. */
  leaderEpoch(topic: string, partition: number): number {
    return this.#metadata.partition(topic, partition)?.leaderEpoch ?? -1
  }

  /** What an answer said about who leads now. Older hints than what is known are ignored. */
  noteLeader(topic: string, partition: number, hint: LeaderHint): void {
    this.#metadata.noteLeader(topic, partition, hint)
  }

  /** Some broker of the cluster, at random. Asks for them first where none is known. */
  async anyBroker(signal?: AbortSignal): Promise<BrokerNode> {
    if (this.#metadata.brokers.length === 0) await this.refresh([], signal)
    const { brokers } = this.#metadata
    const broker = brokers[Math.floor(Math.random() * brokers.length)]
    if (!broker) throw new ConnectionError('', 'the cluster says that it has no broker')
    return broker
  }

  /**
   * Asks for these topics. Calls at the same time are one request; requests keep a distance, longer after failures.
   * What it found is then in `topic()`, a missing topic too.
   * @throws ConnectionError and the like: no broker could be asked. ClosedError.
   */
  refresh(topics: readonly string[], signal?: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason as Error)
    return this.#unlessAborted(this.#refresher.refresh(topics), signal)
  }

  /** @throws ClusterTimeoutError where none is elected in time; ConnectionError; ClosedError. */
  coordinator(kind: CoordinatorKind, key: string, signal?: AbortSignal): Promise<BrokerNode> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason as Error)
    return this.#unlessAborted(this.#coordinators.find(kind, key), signal)
  }

  /** It moved, or cannot be reached: look it up again next time. */
  forgetCoordinator(kind: CoordinatorKind, key: string): void {
    this.#coordinators.forget(kind, key)
  }

  /**
   * Calls back when the addresses lead to another cluster than before (restored, or failed over by DNS). Returns the
   * function that takes the listener off again.
   */
  onReplaced(listener: () => void): () => void {
    this.#onReplaced.add(listener)
    return () => this.#onReplaced.delete(listener)
  }

  /** Calls back with the topics that nobody has used for `metadataMaxAgeMs`; returns the function that ends that. */
  onForgotten(listener: (topics: readonly string[]) => void): () => void {
    this.#onForgotten.add(listener)
    return () => this.#onForgotten.delete(listener)
  }

  inspect(): ClusterState {
    const { clusterId, brokers, topicNames } = this.#metadata
    return { clusterId, brokers: brokers.length, topics: topicNames.length }
  }

  /** Connections that do not end by themselves within `graceMs` are broken off. */
  async close(graceMs?: number): Promise<void> {
    if (this.#closing.signal.aborted) return
    const error = new ClosedError('the cluster')
    this.#closing.abort(error)
    this.#ageing?.cancel()
    this.#refresher.close(error)
    await this.driver.close(graceMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #ask(topics: readonly string[]): Promise<void> {
    const answer = await this.driver.metadata(topics)
    await turnBetween(answer.topics.length)
    const former = this.#metadata.learn(answer)
    if (former !== undefined) this.#tellReplaced(former)
    if (!this.#ageing) this.#age()
    await turnBetween(answer.topics.length)
  }

  #tellReplaced(former: string): void {
    const text = `The cluster ${former} was replaced: its addresses lead to the cluster ${this.clusterId} now. `
    const advice = 'Positions, producer ids and transactions of the former one mean nothing there.'
    const facts = { event: 'clusterReplaced', former, clusterId: this.clusterId }
    this.log.write({ kind: 'clusterReplaced', level: 'error', message: text + advice, facts, warns: true })
    for (const listener of this.#onReplaced) listener()
  }

  #age(): void {
    if (this.#closing.signal.aborted) return
    this.#ageing = this.#clock.setTimeout(() => {
      // Those in use, that is: what is asked about later is looked up again.
      const forgotten = this.#metadata.forgetUnused()
      for (const listener of this.#onForgotten) listener(forgotten)
      // A failure here is met again, and told, by whoever needs the cluster next.
      this.refresh(this.#metadata.topicNames).catch(() => {})
      this.#age()
    }, this.metadataMaxAgeMs)
  }

  /** The work itself goes on for those who share it. */
  #unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const signals = signal ? [signal, this.#closing.signal] : [this.#closing.signal]
    const aborted = signals.find((one) => one.aborted)
    const onAbort = (event: Event): void => reject((event.target as AbortSignal).reason as Error)
    for (const one of signals) one.addEventListener('abort', onAbort)
    if (aborted) reject(aborted.reason as Error)
    work.then(resolve, reject)
    return promise.finally(() => {
      for (const one of signals) one.removeEventListener('abort', onAbort)
    })
  }
}
