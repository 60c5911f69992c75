import { ClosedError, Gate } from '@sluice/flow'
import { Emitter, requireNumber, orAborted } from '@sluice/flow/internal'
import type { Breaker, BreakerTransition, PerPriority } from '@sluice/flow'
import type { LetterSink } from './dead-letters/letter-sink.ts'
import type { Delivery, OutgoingRecord, TargetTopic } from '../record/record.ts'
import { Account } from './queue/account.ts'
import { Accumulator } from './queue/accumulator.ts'
import { AddedHeaders } from '../outgoing/added-headers.ts'
import { Admission } from './queue/admission.ts'
import type { WaitForRoom } from './queue/admission.ts'
import { BurstClock } from './queue/burst-clock.ts'
import { DeadLetters } from './dead-letters/dead-letters.ts'
import { DeliveryDeadline } from './queue/delivery-deadline.ts'
import { encodeRecord } from '../outgoing/encode-record.ts'
import { producerLines } from './event-lines.ts'
import type { ProducerEvents } from './events.ts'
import type { ProducerActivity } from './send/activity.ts'
import { Eviction } from './queue/eviction.ts'
import { newBreaker } from './send/breaker.ts'
import { parseProducerOptions } from './options.ts'
import type { ProducerConfig, ProducerOptions } from './options.ts'
import type { PendingRecord } from '../outgoing/pending-record.ts'
import type { ProducerCluster } from './producer-cluster.ts'
import { ProducerIds } from './send/producer-ids.ts'
import type { CloseReport, ProducerState } from './producer-state.ts'
import { requireTopic } from '../record/require-topic.ts'
import { sendAll } from './send-all.ts'
import { SendStats } from './send/send-stats.ts'
import type { RecordSource, SendAllOptions } from './send-all.ts'
import { Sender } from './send/sender.ts'
import { Settlement } from './queue/settlement.ts'
import { isBeyond, mayHaveGrown, requirePartition } from './queue/topic-queue.ts'
import type { TopicQueue } from './queue/topic-queue.ts'
import { TopicSearch } from './send/topic-search.ts'
import { SendTracing } from '../tracing/send-tracing.ts'
import type { SendSpan } from '../tracing/send-tracing.ts'

/** What `send` takes beside the record. */
export interface SendOptions {
  /** Ends the wait for room. A record that is in the queue is on its way and is not called back. */
  readonly signal?: AbortSignal | undefined
}

/** What `close` of a producer takes. */
export interface CloseOptions {
  /** How long to wait for what is in the queue, 0 or more. Default 30,000. What is left then is given up. */
  readonly timeoutMs?: number | undefined
}

/**
 * Writes records to Kafka through a bounded queue, and says of each what became of it.
 *
 *     send -> encode -> queue (Gate) -> Accumulator (a batch a partition) -> Sender (a loop a broker) -> Settlement
 */
export class Producer implements AsyncDisposable {
  readonly #config: ProducerConfig
  readonly #events: Emitter<ProducerEvents>
  readonly #deadLetters: DeadLetters | undefined
  readonly #tracing: SendTracing | undefined
  readonly #added: AddedHeaders
  readonly #account = new Account()
  readonly #stats = new SendStats()
  readonly #gate: Gate
  readonly #accumulator: Accumulator
  readonly #sender: Sender
  readonly #deadline: DeliveryDeadline
  readonly #producerIds: ProducerIds
  readonly #admission: Admission
  readonly #breaker: Breaker
  readonly #burst: BurstClock
  readonly #usualWaits: PerPriority<WaitForRoom>
  readonly #searches = new AbortController()
  readonly #following: readonly (() => void)[]
  #flushing = 0
  #closing: Promise<CloseReport> | undefined
  #isClosed = false

  /**
   * @internal
   * @throws ConfigError; ConnectionError and other errors of the cluster, if it cannot be reached.
   */
  static async open(
    cluster: ProducerCluster,
    options: ProducerOptions = {},
    letterSink?: LetterSink,
  ): Promise<Producer> {
    const config = parseProducerOptions(options)
    const producerIds = new ProducerIds(cluster, config)
    if (config.idempotent) await producerIds.renew()
    else await cluster.anyBroker()
    const events = new Emitter<ProducerEvents>(cluster.log.observer(producerLines, {}))
    const deadLetters =
      config.deadLetters && letterSink
        ? await DeadLetters.open(
            { ...config.deadLetters, compression: config.compression },
            config.clock,
            letterSink,
            cluster.log,
            (event) => events.emit('deadLetters', event),
          )
        : undefined
    const tracing = config.tracing ? await SendTracing.load() : undefined
    return new Producer(cluster, config, producerIds, events, deadLetters, tracing)
  }

  private constructor(
    cluster: ProducerCluster,
    config: ProducerConfig,
    producerIds: ProducerIds,
    events: Emitter<ProducerEvents>,
    deadLetters: DeadLetters | undefined,
    tracing: SendTracing | undefined,
  ) {
    this.#config = config
    this.#events = events
    this.#deadLetters = deadLetters
    this.#tracing = tracing
    this.#added = new AddedHeaders(config.addHeaders)
    this.#producerIds = producerIds
    this.#gate = this.#newGate()
    this.#breaker = newBreaker(config, (transition) => this.#onBreaker(transition))
    this.#burst = new BurstClock(config.clock)
    this.#usualWaits = {
      high: { signal: undefined, timeoutMs: config.deliveryTimeoutMs },
      medium: { signal: undefined, timeoutMs: config.queue.maxWaitMs },
      low: { signal: undefined, timeoutMs: 0 },
    }
    this.#admission = new Admission({
      gate: this.#gate,
      clock: config.clock,
      maxWaiting: config.queue.maxWaiting,
      eviction: () => eviction,
      delayReason: () => this.#sender.lastError,
      accept: (topic, record) => this.#accept(this.#targetOrLeave(topic, record), record),
    })
    const settlement = new Settlement({
      gate: this.#gate,
      account: this.#account,
      stats: this.#stats,
      clock: config.clock,
      deadLetters,
      onRoom: () => this.#admission.letIn(),
    })
    const accumulator = new Accumulator(config, cluster, {
      isPressed: () => this.#isPressed(),
      onDue: (queue) => this.#sender.schedule(queue),
      onUnknownTopic: (topic) => search.start(topic),
      newSequence: () => producerIds.newSequence(),
    })
    const onTrouble = (during: ProducerActivity, error: Error): void => events.emit('error', { during, error })
    const search = new TopicSearch({
      config,
      cluster,
      accumulator,
      settlement,
      signal: this.#searches.signal,
      onTrouble,
    })
    const eviction = new Eviction(this.#gate, accumulator, settlement, () => this.#admission.countEviction())
    this.#accumulator = accumulator
    this.#sender = new Sender({
      config,
      cluster,
      settlement,
      producerIds,
      breaker: this.#breaker,
      onTrouble,
      onTooLarge: (name, batch) => accumulator.shrinkBatches(name, batch.bytes),
      onFewerPartitions: (name) => accumulator.recount(name),
    })
    this.#following = [
      cluster.onReplaced(() => this.#moveToOtherCluster()),
      cluster.onForgotten((topics) => accumulator.forgetIdle(topics)),
    ]
    this.#deadline = new DeliveryDeadline({ config, accumulator, sender: this.#sender, settlement })
  }

  /**
   * Resolves when the broker has acknowledged the record. Up to `queue.maxRecords` records are taken at once; at the
   * maximum the record's priority decides: a high one evicts a lower one, and where there is none waits until the
   * delivery timeout, a medium one waits its turn, `queue.maxWaitMs` at most, a low one is refused. The bytes that codecs and headers give are not copied:
   * leave them alone until then.
   *
   * Rejects, before the record is accepted, with EncodeError, RecordTooLargeError, ConfigError, BackpressureError,
   * CircuitOpenError, ClosedError, or the signal's reason; afterwards with a BackpressureError where it was evicted, else with DeliveryError,
   * which says by its `outcome` whether the record can be in the log.
   */
  send<K, V>(topic: TargetTopic<K, V>, record: OutgoingRecord<K, V>, options?: SendOptions): Promise<Delivery> {
    return this.#send(topic, record, options)
  }

  #send<K, V>(
    topic: TargetTopic<K, V>,
    record: OutgoingRecord<K, V>,
    options: Partial<WaitForRoom> | undefined,
  ): Promise<Delivery> {
    const span = this.#tracing?.start(topic.name, record)
    const delivery = this.#sendUntraced(topic, record, options, span)
    return span ? span.ending(delivery) : delivery
  }

  #sendUntraced<K, V>(
    topic: TargetTopic<K, V>,
    record: OutgoingRecord<K, V>,
    options: Partial<WaitForRoom> | undefined,
    span: SendSpan | undefined,
  ): Promise<Delivery> {
    let encoded: PendingRecord
    let target: TopicQueue
    try {
      target = this.#target(requireTopic('topic', topic).name, record?.partition)
      encoded = this.#encode(topic, record, span)
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#admission.tryEnter(encoded)) return this.#accept(target, encoded)
    this.#accumulator.endLinger()
    return this.#admission.wait(topic.name, encoded, { ...this.#usualWaits[encoded.priority], ...options })
  }

  /** As `send`, but where that would wait or refuse, the record is not taken and undefined is returned. */
  trySend<K, V>(topic: TargetTopic<K, V>, record: OutgoingRecord<K, V>): Promise<Delivery> | undefined {
    const isFull = this.#admission.waiting > 0 || this.#gate.records >= this.#config.queue.maxRecords
    if (isFull && record?.priority !== 'high' && !this.#closing && !this.#isRefusing) return undefined
    try {
      const target = this.#target(requireTopic('topic', topic).name, record?.partition)
      const span = this.#tracing?.start(topic.name, record)
      const encoded = this.#encode(topic, record, span)
      // A span that is left without an end is never seen.
      if (this.#admission.waiting > 0 || !this.#admission.tryEnter(encoded)) return undefined
      const delivery = this.#accept(target, encoded)
      return span ? span.ending(delivery) : delivery
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Between the high and the low watermark, on the way down. `send` still takes records then, up to the maximum. */
  get throttled(): boolean {
    return this.#gate.throttled
  }

  /** Resolves when the queue is not throttled; at once where it is not. @throws ClosedError, BackpressureError */
  ready(signal?: AbortSignal): Promise<void> {
    return this.#gate.ready(signal)
  }

  /**
   * Sends what a source has, pulling only as the queue is not throttled and deliveries are taken; they come in the
   * source's order. The first record that fails ends the iteration with its error.
   */
  sendAll<K, V>(
    topic: TargetTopic<K, V>,
    source: RecordSource<OutgoingRecord<K, V>>,
    options?: SendAllOptions,
  ): AsyncGenerator<Delivery, void, undefined> {
    const sink = {
      send: (record: OutgoingRecord<K, V>, signal: AbortSignal) =>
        this.#send(topic, record, { signal, timeoutMs: Infinity }),
      admission: () => this.#admission.cleared,
      isThrottled: () => this.throttled,
      ready: (signal: AbortSignal) => this.ready(signal),
      hurry: () => this.#accumulator.endLinger(),
    }
    return sendAll(sink, source, options)
  }

  /** Sends what lingers, and resolves once every record that was sent before is settled, also those that wait for room. */
  async flush(signal?: AbortSignal): Promise<void> {
    this.#flushing++
    this.#accumulator.endLinger()
    try {
      const { cleared } = this.#admission
      if (cleared !== undefined) await orAborted(cleared, signal)
      await this.#account.settled(signal)
    } finally {
      this.#flushing--
    }
  }

  /**
   * Takes no more records, delivers those it has, and gives up what is left when the time is over.
   * @throws ConfigError for a time that makes no sense: then nothing is closed. Nothing else.
   */
  close({ timeoutMs = 30_000 }: CloseOptions = {}): Promise<CloseReport> {
    try {
      requireNumber('timeoutMs', timeoutMs, { min: 0, max: Infinity })
    } catch (error) {
      return Promise.reject(error)
    }
    this.#closing ??= this.#drain(timeoutMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Returns the function that takes the listener off again. */
  on<Name extends keyof ProducerEvents>(name: Name, listener: (state: ProducerEvents[Name]) => unknown): () => void {
    return this.#events.on(name, listener)
  }

  inspect(): ProducerState {
    return {
      state: this.#isClosed ? 'closed' : this.#closing ? 'closing' : 'open',
      queue: { ...this.#gate.inspect(), waiting: this.#admission.waiting },
      records: this.#account.inspect(),
      sent: this.#stats.inspect(),
      shed: this.#admission.shed,
      sender: this.#sender.inspect(),
      breaker: this.#breaker.inspect(),
      deadLetters: this.#deadLetters?.inspect(),
      producerId: this.#producerIds.current?.producerId.toString() ?? null,
    }
  }

  #moveToOtherCluster(): void {
    this.#accumulator.forgetSequences()
    for (const { partitions } of this.#accumulator.topics) {
      for (const queue of partitions) this.#sender.moveToOtherCluster(queue)
    }
  }

  #newGate(): Gate {
    const { clock, queue } = this.#config
    return new Gate({
      ...queue,
      clock,
      onThrottled: (state) => {
        this.#accumulator.endLinger()
        this.#events.emit('throttled', state)
      },
      onReleased: (state) => this.#events.emit('released', state),
    })
  }

  #onBreaker(transition: BreakerTransition): void {
    if (this.#isRefusing) this.#admission.rejectAll(this.#breaker.openError())
    this.#events.emit('breaker', transition)
  }

  get #isRefusing(): boolean {
    return this.#config.breaker.whenOpen === 'reject' && this.#breaker.state === 'open'
  }

  /** Whether somebody waits for what is in the queue to go. */
  #isPressed(): boolean {
    return this.#gate.throttled || this.#admission.waiting > 0 || this.#flushing > 0 || this.#closing !== undefined
  }

  #target(name: string, partition: number | undefined): TopicQueue {
    if (this.#closing) throw new ClosedError('the producer')
    if (this.#isRefusing) throw this.#breaker.openError()
    const topic = this.#accumulator.topic(name)
    const isChecked = partition !== undefined && topic.isKnown && isBeyond(topic, partition)
    if (isChecked && !mayHaveGrown(topic, this.#config.clock.monotonicMs())) requirePartition(topic, partition)
    return topic
  }

  #encode<K, V>(topic: TargetTopic<K, V>, record: OutgoingRecord<K, V>, span: SendSpan | undefined): PendingRecord {
    const { maxRecordBytes, clock } = this.#config
    return encodeRecord(topic, record, {
      maxRecordBytes,
      nowMs: Math.floor(clock.now()),
      added: this.#added,
      trace: span,
    })
  }

  #accept(topic: TopicQueue, record: PendingRecord): Promise<Delivery> {
    record.acceptedAtMs = this.#burst.nowMs()
    this.#account.accept(record)
    this.#deadline.watch()
    return this.#accumulator.append(topic, record)
  }

  /** Let in; but by now the producer can be closed, and the topic known not to have the record's partition. */
  #targetOrLeave(topic: string, record: PendingRecord): TopicQueue {
    try {
      return this.#target(topic, record.partition)
    } catch (error) {
      this.#gate.release(record.bytes)
      throw error
    }
  }

  async #drain(timeoutMs: number): Promise<CloseReport> {
    this.#gate.close(new ClosedError('the producer'))
    this.#admission.rejectAll(new ClosedError('the producer'))
    const isOver = new AbortController()
    const timer = this.#config.clock.setTimeout(() => isOver.abort(), timeoutMs)
    await this.flush(isOver.signal).catch(() => {})
    timer.cancel()
    const abandoned = this.#account.pending
    this.#deadline.giveUpAll(`the producer was closed and ${timeoutMs} ms were over`)
    this.#deadline.stop()
    this.#sender.stop()
    for (const stop of this.#following) stop()
    this.#breaker.close()
    this.#accumulator.stop()
    this.#searches.abort(new ClosedError('the producer'))
    await this.#deadLetters?.stop()
    await this.#account.settled()
    this.#isClosed = true
    const { accepted, delivered, refused, unknown } = this.#account.inspect()
    return { accepted, delivered, refused, unknown, abandoned }
  }
}
