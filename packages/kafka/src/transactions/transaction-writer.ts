import { ClosedError, type Clock } from '@sluice/flow'
import { orAborted } from '@sluice/flow/internal'
import { Backoff } from '../async/backoff.ts'
import type { Compression } from '../batch/batch.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { endsWithin } from '../async/within.ts'
import { classify } from '../driver/classify.ts'
import type { ProducerIdentity, TransactionVersion } from '../driver/driver.ts'
import { BrokerError, ClusterTimeoutError } from '../errors.ts'
import { askCoordinator } from './ask-coordinator.ts'
import { ProducerFencedError, TransactionError } from './errors.ts'
import type { OutputTopics } from './output-topics.ts'
import { byPartition, encodePartition, type PartitionBatches, type Sequences } from './partition-batches.ts'
import { Transaction, type TransactionContent } from './transaction.ts'

export interface TransactionWriterOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly topics: OutputTopics
  readonly transactionalId: string
  /** After this time the broker aborts a transaction that was not ended. */
  readonly timeoutMs: number
  readonly batchBytes: number
  readonly compression: Compression
}

interface Identity extends ProducerIdentity {
  readonly version: TransactionVersion
}

/** How long an identity, and the answer to the end of a transaction, are tried for. */
const SETTLE_MS = 60_000

/** The epoch is not the current one: another producer has it, or the broker has aborted what took too long. */
const fencing = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'])
/** What another transaction with the same records would meet again. */
const hopeless = new Set(
  'MESSAGE_TOO_LARGE RECORD_LIST_TOO_LARGE INVALID_RECORD INVALID_TIMESTAMP POLICY_VIOLATION'.split(' '),
)

/** The transactions under one transactional id. */
export interface TransactionsState {
  /** Kafka: `transactional.id`. */
  readonly transactionalId: string
  /** Milliseconds after which the brokers abort a transaction. */
  readonly timeoutMs: number
  /** In decimal; null until the brokers have given it one. */
  readonly producerId: string | null
  readonly epoch: number | null
  /** Of the protocol: 2 with KIP-890. */
  readonly version: 1 | 2 | null
  /** Transactions that were committed. */
  readonly committed: number
  /** Transactions that were not. */
  readonly aborted: number
}

/**
 * Writes under one transactional id, one transaction at a time.
 *
 * After whatever failed, and after whatever stayed without an answer, the identity is thrown away, and the next one is
 * asked for (InitProducerId): that aborts what is open and fences what is late. To go on under the same identity is how
 * a request that was given up commits or aborts a later transaction than its own (Jepsen on Bufstream and Kafka, 2024).
 */
export class TransactionWriter {
  readonly #options: TransactionWriterOptions
  readonly #closing = new AbortController()
  readonly #sequences: Sequences = new Map()
  #identity: Identity | undefined
  #initialising: Promise<Identity> | undefined
  #isFenced = false
  #committed = 0
  #aborted = 0

  constructor(options: TransactionWriterOptions) {
    this.#options = options
  }

  get transactionalId(): string {
    return this.#options.transactionalId
  }

  get compression(): Compression {
    return this.#options.compression
  }

  /**
   * Gets an identity, where there is none: whoever wrote under this id before is fenced then, and its transaction over.
   * @throws ClusterTimeoutError; BrokerError, such as `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`
   */
  async init(): Promise<void> {
    await this.#known()
  }

  /**
   * Writes all of it, or nothing.
   * @throws TransactionError, whose outcome says what is known; ProducerFencedError; ClosedError
   */
  async write(content: TransactionContent): Promise<void> {
    const { clock, cluster, transactionalId, timeoutMs } = this.#options
    if (content.outputs.length === 0 && content.offsets === undefined) return
    const { version, ...identity } = await this.#known()
    const transactional = { transactionalId, ...identity }
    const hasTimedOut = timeoutWatch(clock, timeoutMs)
    const deadlineMs = clock.monotonicMs() + timeoutMs
    const transaction = new Transaction({ cluster, clock, version, transactional, timeoutMs, deadlineMs })
    try {
      const batches = await this.#untilClosed(this.#encode(content, identity))
      await this.#untilClosed(this.#within(deadlineMs, transaction, transaction.fill(batches, content)))
    } catch (error) {
      transaction.stop()
      this.#aborted++
      throw await this.#discard(error, 'aborted', hasTimedOut())
    }
    const isInDoubt = transaction.isInDoubt
    try {
      const next = await this.#untilClosed(transaction.end(clock.monotonicMs() + SETTLE_MS))
      this.#committed++
      if (isInDoubt || transaction.isInDoubt) this.#identity = undefined
      else this.#adopt({ ...next, version })
    } catch (error) {
      transaction.stop()
      const outcome = transaction.isInDoubt || this.#closing.signal.aborted ? 'unknown' : 'aborted'
      if (outcome === 'aborted') this.#aborted++
      throw await this.#discard(error, outcome, hasTimedOut())
    }
  }

  /** Gives up what is under way: it rejects at once. Nothing more is asked of the brokers. */
  close(): void {
    this.#closing.abort(new ClosedError('the transactional producer'))
  }

  inspect(): TransactionsState {
    const { transactionalId, timeoutMs } = this.#options
    const { producerId, epoch, version } = this.#identity ?? { producerId: null, epoch: null, version: null }
    return {
      transactionalId,
      timeoutMs,
      producerId: producerId === null ? null : String(producerId),
      epoch,
      version,
      committed: this.#committed,
      aborted: this.#aborted,
    }
  }

  async #encode({ outputs }: TransactionContent, identity: ProducerIdentity): Promise<readonly PartitionBatches[]> {
    const { cluster, topics, batchBytes, compression } = this.#options
    const names = new Set(outputs.map(({ topic }) => topic))
    for (const name of names) if (!topics.isKnown(name)) await topics.look(name, this.#closing.signal)
    const batches: PartitionBatches[] = []
    for (const [topic, partitions] of byPartition(outputs, topics, cluster)) {
      const limits = { compression, batchBytes: Math.min(batchBytes, topics.batchBytes(topic)) }
      for (const [partition, records] of partitions) {
        batches.push(encodePartition(topic, partition, records, identity, this.#sequences, limits))
      }
    }
    return batches
  }

  async #within(deadlineMs: number, transaction: Transaction, work: Promise<void>): Promise<void> {
    const { clock, timeoutMs } = this.#options
    if (await endsWithin(clock, work, Math.max(0, deadlineMs - clock.monotonicMs()))) return
    throw new ClusterTimeoutError('a transaction could not be written', timeoutMs, transaction.whyLate())
  }

  /** The identity is of no use any more. Returns what to throw. */
  async #discard(cause: unknown, outcome: 'aborted' | 'unknown', hasTimedOut: boolean): Promise<Error> {
    const { transactionalId } = this.#options
    this.#identity = undefined
    if (cause instanceof BrokerError && fencing.has(cause.apiError) && !hasTimedOut) {
      this.#isFenced = true
      return new ProducerFencedError(transactionalId, cause)
    }
    // At once, since an open transaction holds back everybody who reads what is committed. Whoever writes next, and
    // gets no identity either, is told why.
    await this.#known().catch(() => {})
    return new TransactionError(transactionalId, outcome, cause, isMendable(cause))
  }

  #untilClosed<T>(work: Promise<T>): Promise<T> {
    return orAborted(work, this.#closing.signal)
  }

  #known(): Promise<Identity> {
    // A late identity would fence whoever writes under this id by now.
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason)
    if (this.#isFenced) return Promise.reject(new ProducerFencedError(this.#options.transactionalId, undefined))
    if (this.#identity !== undefined) return Promise.resolve(this.#identity)
    this.#initialising ??= this.#request().finally(() => (this.#initialising = undefined))
    return this.#initialising
  }

  async #request(): Promise<Identity> {
    const { cluster, clock, transactionalId, timeoutMs } = this.#options
    const deadlineMs = clock.monotonicMs() + SETTLE_MS
    const identity = await askCoordinator({
      cluster,
      clock,
      kind: 'transaction',
      key: transactionalId,
      backoff: new Backoff(20, 1_000),
      signal: this.#closing.signal,
      isLate: () => clock.monotonicMs() >= deadlineMs,
      request: async (coordinator) => {
        const version = await cluster.driver.transactionVersion()
        const request = { transactionalId, transactionTimeoutMs: timeoutMs }
        return { ...(await cluster.driver.initProducerId(coordinator, request)), version }
      },
    })
    this.#sequences.clear()
    return (this.#identity = identity)
  }

  /** With version 2 each transaction has an epoch of its own, and its sequences begin at 0. */
  #adopt(next: Identity): void {
    const { producerId, epoch } = this.#identity ?? next
    if (next.epoch !== epoch || next.producerId !== producerId) this.#sequences.clear()
    this.#identity = next
  }
}

/**
 * Whether the brokers have aborted by now what is begun now. By both clocks: while a machine sleeps or a virtual one is
 * paused, the monotonic clock stands still.
 */
function timeoutWatch(clock: Clock, timeoutMs: number): () => boolean {
  const [startedAtMs, startedAtWallMs] = [clock.monotonicMs(), clock.now()]
  return () => Math.max(clock.monotonicMs() - startedAtMs, clock.now() - startedAtWallMs) >= timeoutMs
}

/** Whether another transaction with the same content can succeed. */
function isMendable(cause: unknown): boolean {
  if (!(cause instanceof BrokerError)) return (cause as { retriable?: boolean }).retriable === true
  return fencing.has(cause.apiError) || !(classify(cause.apiCode).fatal || hopeless.has(cause.apiError))
}
