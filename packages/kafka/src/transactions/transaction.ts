import type { Clock } from '@sluice/flow'
import { Backoff } from '../async/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Output } from '../outgoing/output.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type {
  BrokerNode,
  CoordinatorKind,
  OffsetCommit,
  PartitionKey,
  PartitionResult,
  ProducerIdentity,
  TransactionalIdentity,
  TransactionVersion,
} from '../driver/driver.ts'
import { BrokerError, RequestTimeoutError } from '../errors.ts'
import { mayHaveArrived } from '../producer/send/verdict.ts'
import { askCoordinator, isStaleEpoch, isTransient } from './ask-coordinator.ts'
import type { PartitionBatches } from './partition-batches.ts'
import { requirePartitions } from './require-partitions.ts'
import { reached } from './steps.ts'
import { isRefreshed, TransactionalSends } from './transactional-sends.ts'

const unknownPartition = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

/** Offsets that a consumer group commits with a transaction. */
export interface TransactionOffsets {
  readonly group: string
  readonly offsets: readonly OffsetCommit[]
  /** Asked at every attempt. Throws where nobody may commit these offsets any more. */
  readonly member: () => CommittingMember
  /** The group knows another epoch of the member: resolves when this side may know it too. */
  readonly refreshed?: (() => Promise<unknown>) | undefined
}

/** Whose commits the group takes (KIP-447): a member that was fenced cannot commit. */
export interface CommittingMember {
  readonly memberId: string
  /** The epoch that the group knows it by. */
  readonly memberEpoch: number
  /** Kafka: `group.instance.id`; null for a dynamic member. */
  readonly instanceId: string | null
}

/** What one transaction writes: all of it, or nothing. */
export interface TransactionContent {
  readonly outputs: readonly Output[]
  readonly offsets: TransactionOffsets | undefined
  /** A topic refused these for good: one of them is to blame, or all. */
  readonly onRefused?: ((outputs: readonly Output[]) => void) | undefined
}

export interface TransactionParts {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly version: TransactionVersion
  readonly transactional: TransactionalIdentity
  /** How long it may take until it is written. */
  readonly timeoutMs: number
  /** Monotonic: no attempt begins after that, but those to end it. */
  readonly deadlineMs: number
}

/**
 * One transaction: its requests, each tried again until it is answered for good or the time is up. With version 2
 * (KIP-890) a transaction begins with the first record or offset; with version 1 what it writes to is added before.
 */
export class Transaction {
  readonly #options: TransactionParts
  readonly #stop = new AbortController()
  /** A request got no answer: it may arrive late, whatever became of those that followed it. */
  #isInDoubt = false
  #lastFailure: unknown
  /** Requests without an answer, the oldest first. */
  readonly #waitingFor = new Set<{ readonly api: string; readonly broker: BrokerNode; readonly sentAtMs: number }>()

  constructor(options: TransactionParts) {
    this.#options = options
  }

  get isInDoubt(): boolean {
    return this.#isInDoubt
  }

  /** What it waits for, or what kept the last attempt from success: for callers that stop waiting. */
  whyLate(): unknown {
    const [waitingFor] = this.#waitingFor
    if (waitingFor === undefined) return this.#lastFailure
    const { api, sentAtMs, broker } = waitingFor
    const waitedMs = Math.round(this.#options.clock.monotonicMs() - sentAtMs)
    return new RequestTimeoutError(`${broker.host}:${broker.port}`, api, waitedMs, this.#lastFailure)
  }

  /** Nothing more is tried. */
  stop(): void {
    this.#stop.abort()
  }

  /** Records and offsets, short of the end. @throws what no further attempt can mend, or the last failure */
  async fill(
    batches: readonly PartitionBatches[],
    { offsets, onRefused }: Omit<TransactionContent, 'outputs'>,
  ): Promise<void> {
    const { transactional, version } = this.#options
    reached(transactional.transactionalId, 'begin')
    if (version === 1) await this.#register(batches, offsets?.group, onRefused)
    const sends = new TransactionalSends({
      ...this.#options,
      signal: this.#stop.signal,
      ask: (broker, request) => this.#request('Produce', broker, request),
      onFailure: (error) => (this.#lastFailure = error),
      onRefused,
    })
    await sends.send(batches)
    reached(transactional.transactionalId, 'outputs')
    if (offsets !== undefined) await this.#commitOffsets(offsets)
    reached(transactional.transactionalId, 'offsets')
  }

  /**
   * Commits; resolves with the identity of the next transaction.
   * @throws the last failure; it may be committed then where `isInDoubt`
   */
  async end(deadlineMs: number): Promise<ProducerIdentity> {
    const { cluster, version, transactional } = this.#options
    // Only of the end: of what came before it the answers are known.
    this.#isInDoubt = false
    const id = transactional.transactionalId
    const next = await this.#ask('EndTxn', 'transaction', id, deadlineMs, async (coordinator) => {
      const answer = cluster.driver.endTransaction(coordinator, { version, transactional, commit: true })
      reached(transactional.transactionalId, 'end_sent')
      try {
        return await answer
      } catch (error) {
        // A coordinator that falls over while it writes may say so, and its successor find the commit in its log.
        // So may one that failed in a way it has no name for, before or after.
        const isVague =
          error instanceof BrokerError && (isTransient(error) || error.apiError === 'UNKNOWN_SERVER_ERROR')
        if (isVague) this.#isInDoubt = true
        throw error
      }
    })
    reached(transactional.transactionalId, 'committed')
    return next
  }

  async #register(
    batches: readonly PartitionBatches[],
    group: string | undefined,
    onRefused: TransactionContent['onRefused'],
  ): Promise<void> {
    const { cluster, transactional, deadlineMs } = this.#options
    const id = transactional.transactionalId
    const places = batches.map(({ topic, partition }): PartitionKey => ({ topic, partition }))
    if (places.length > 0) {
      await this.#ask('AddPartitionsToTxn', 'transaction', id, deadlineMs, async (coordinator) => {
        const results = await cluster.driver.addPartitionsToTransaction(coordinator, transactional, places)
        const topics = results.filter(({ errorCode }) => errorCode === unknownPartition).map(({ topic }) => topic)
        if (topics.length > 0 && (await isRefreshed(cluster, [...new Set(topics)], this.#stop.signal))) {
          requirePartitions(cluster, batches, onRefused)
        }
        throwFirst(results)
      })
    }
    if (group === undefined) return
    await this.#ask('AddOffsetsToTxn', 'transaction', id, deadlineMs, (coordinator) =>
      cluster.driver.addOffsetsToTransaction(coordinator, transactional, group),
    )
  }

  /** A stale member epoch is none of the transaction's faults: after a heartbeat the offsets are sent again. */
  async #commitOffsets({ group, offsets, member, refreshed }: TransactionOffsets): Promise<void> {
    const { cluster, clock, version, transactional, deadlineMs } = this.#options
    const backoff = new Backoff(10, 500)
    for (;;) {
      try {
        return await this.#ask('TxnOffsetCommit', 'group', group, deadlineMs, async (coordinator) => {
          const request = { version, transactional, group, offsets, ...member() }
          throwFirst(await cluster.driver.commitTransactionOffsets(coordinator, request))
        })
      } catch (error) {
        if (!isStaleEpoch(error) || refreshed === undefined || this.#isLate(deadlineMs)) throw error
        await refreshed()
      }
      await clock.sleep(backoff.nextMs(), this.#stop.signal)
    }
  }

  /** Asks a coordinator until it answers for good. */
  async #ask<Answer>(
    api: string,
    kind: CoordinatorKind,
    key: string,
    deadlineMs: number,
    request: (coordinator: BrokerNode) => Promise<Answer>,
  ): Promise<Answer> {
    const { cluster, clock } = this.#options
    return await askCoordinator({
      cluster,
      clock,
      kind,
      key,
      backoff: new Backoff(10, 500),
      signal: this.#stop.signal,
      isLate: () => this.#isLate(deadlineMs),
      request: (coordinator) => this.#request(api, coordinator, () => request(coordinator)),
      onFailure: (error) => (this.#lastFailure = error),
    })
  }

  /** Notes what is waited for, and whether it may arrive although it was not answered. */
  async #request<Answer>(api: string, broker: BrokerNode, request: () => Promise<Answer>): Promise<Answer> {
    const waitingFor = { api, broker, sentAtMs: this.#options.clock.monotonicMs() }
    this.#waitingFor.add(waitingFor)
    try {
      return await request()
    } catch (error) {
      return this.#doubt(error)
    } finally {
      this.#waitingFor.delete(waitingFor)
    }
  }

  #doubt(error: unknown): never {
    if (!(error instanceof BrokerError) && mayHaveArrived(error)) this.#isInDoubt = true
    throw error
  }

  #isLate(deadlineMs: number): boolean {
    return this.#stop.signal.aborted || this.#options.clock.monotonicMs() >= deadlineMs
  }
}

function throwFirst(results: readonly PartitionResult[]): void {
  const failed = results.find(({ errorCode }) => errorCode !== 0)
  if (failed === undefined) return
  const { topic, partition } = failed
  throw brokerError(failed.errorCode, null, { topic, partition })
}
