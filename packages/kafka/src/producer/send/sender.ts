import { ClosedError } from '@sluice/flow'
import type { Breaker, Timer } from '@sluice/flow'
import { missingPartition } from '../../cluster/missing-partition.ts'
import { brokerError, classify } from '../../driver/classify.ts'
import type { BrokerNode, ProduceResult } from '../../driver/driver.ts'
import { type DeliveryBlame, DeliveryError } from '../../errors.ts'
import { BatchBuffers } from '../queue/batch-buffers.ts'
import { BrokerSender } from './broker-sender.ts'
import type { BrokerSenderHooks, BrokerSenderState, SentBatch } from './broker-sender.ts'
import type { ProducerActivity } from './activity.ts'
import { delayReason } from './delay-reason.ts'
import { LeaderSearch } from './leader-search.ts'
import type { ProducerConfig } from '../options.ts'
import type { PartitionQueue } from '../queue/partition-queue.ts'
import type { ProducerCluster } from '../producer-cluster.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { RecordBatch } from '../queue/record-batch.ts'
import type { Settlement } from '../queue/settlement.ts'
import { blameFor, RecordIsolation } from './record-isolation.ts'
import { judge, leavesDoubt, mayHaveArrived } from './verdict.ts'

export interface SenderParts {
  readonly config: ProducerConfig
  readonly cluster: ProducerCluster
  readonly settlement: Settlement
  readonly producerIds: ProducerIds
  readonly breaker: Breaker
  /** What failed is tried again. */
  readonly onTrouble: (during: ProducerActivity, error: Error) => void
  /** A broker found a batch of this topic too large. */
  readonly onTooLarge: (topic: string, batch: RecordBatch) => void
  /** The topic was created again with fewer partitions. */
  readonly onFewerPartitions: (topic: string) => void
}

/** How a producer reaches the brokers. */
export interface SenderState {
  readonly brokers: readonly BrokerSenderState[]
  /** Partitions with records whose leader is not known at the moment. */
  readonly leaderlessPartitions: number
  /** Why the metadata could not be refreshed when it was tried last. */
  readonly metadataError: string | null
}

/** Brings batches to the leaders of their partitions, and acts on what becomes of them. */
export class Sender {
  readonly #parts: SenderParts
  readonly #config: ProducerConfig
  readonly #cluster: ProducerCluster
  readonly #brokers = new Map<number, BrokerSender>()
  readonly #search: LeaderSearch
  readonly #buffers: BatchBuffers
  readonly #pauses = new Set<Timer>()
  readonly #stopped = new AbortController()
  readonly #hooks: BrokerSenderHooks
  readonly #isolation: RecordIsolation

  constructor(parts: SenderParts) {
    this.#parts = parts
    this.#config = parts.config
    this.#cluster = parts.cluster
    this.#buffers = new BatchBuffers(parts.config.batchBytes)
    this.#isolation = new RecordIsolation(parts.settlement, (queue, blame) =>
      this.giveUpHead(queue, 'the broker refused a batch', blame),
    )
    this.#search = new LeaderSearch(parts.config, parts.cluster, this.#stopped.signal, {
      schedule: (queue) => this.schedule(queue),
      onRefreshed: () => this.#reroute(),
      onMissing: (queue, count) => this.#giveUpMissing(queue, count),
      onTrouble: (error) => parts.onTrouble('metadata', error),
    })
    this.#hooks = {
      breaker: parts.breaker,
      onTrialFree: () => this.#wakeAll(),
      isLedBy: ({ topic, partition }, brokerId) => this.#cluster.leader(topic, partition)?.id === brokerId,
      seal: (queue) => this.#seal(queue),
      schedule: (queue) => this.schedule(queue),
      onResult: (sent, result) => this.#onResult(sent, result),
      onFailure: (sent, error) => this.#onFailure(sent, error),
      onTrouble: (error) => parts.onTrouble('produce', error),
    }
    parts.breaker.on('transition', () => this.#wakeAll())
  }

  /** Puts a partition in the line where it belongs, if something of it is due. To be called whenever that may be so. */
  schedule(queue: PartitionQueue): void {
    if (queue.scheduled || !queue.isDue || this.#stopped.signal.aborted) return
    queue.scheduled = true
    const pauseMs = queue.notBeforeMs === 0 ? 0 : queue.notBeforeMs - this.#config.clock.monotonicMs()
    if (pauseMs > 0) return this.#scheduleAfter(pauseMs, queue)
    if (queue.sequence?.isUsedUp) return void this.#renewProducerId(queue)
    const leader = this.#cluster.leader(queue.topic, queue.partition)
    if (leader) this.#broker(leader).enqueue(queue, leader)
    else this.#search.add(queue)
  }

  /** Why a partition's records are not acknowledged yet, as far as is known. */
  delayReason(queue: PartitionQueue): Error | undefined {
    return delayReason(queue, {
      cluster: this.#cluster,
      broker: (id) => this.#brokers.get(id),
      metadataError: () => this.#search.lastError,
    })
  }

  /** Why requests fail now, the metadata's first; undefined: none that was answered or given up last has failed. */
  get lastError(): Error | undefined {
    if (this.#search.lastError) return this.#search.lastError
    for (const { lastError } of this.#brokers.values()) if (lastError) return lastError
    return undefined
  }

  /** Gives the head of a partition up, because it took too long. */
  giveUpLateHead(queue: PartitionQueue, why: string): void {
    if (queue.head) queue.head.lastError = this.delayReason(queue)
    this.giveUpHead(queue, why)
  }

  /** Sends the head of a partition no more, and rejects its records with what can be said about them. */
  giveUpHead(queue: PartitionQueue, why: string, blame?: DeliveryBlame): void {
    const batch = queue.head
    if (!batch) return
    const inDoubt = batch.mayBeInLog || queue.inFlight
    queue.dropHead()
    if (inDoubt) queue.sequence?.bumpEpoch()
    else if (batch.identity) queue.sequence?.giveBack(batch.identity)
    const outcome = inDoubt ? 'unknown' : 'refused'
    const { topic, partition } = queue
    const error = new DeliveryError(topic, partition, outcome, `${topic}/${partition}: ${why}`, batch.lastError, blame)
    this.#parts.settlement.failBatch(batch, outcome, error)
    this.schedule(queue)
  }

  /** The topic does not have this partition any more: what waits for it can never be written there. */
  #giveUpMissing(queue: PartitionQueue, count: number): void {
    const { topic, partition } = queue
    this.#parts.onFewerPartitions(topic)
    const cause = missingPartition(topic, partition, count)
    const why = 'there is no such partition any more'
    if (queue.head) {
      queue.head.lastError = cause
      this.giveUpHead(queue, why)
    }
    const records = queue.takeAcceptedUntil(Infinity)
    if (records.length === 0) return
    const error = new DeliveryError(topic, partition, 'refused', `${topic}/${partition}: ${why}`, cause)
    this.#parts.settlement.fail(records, 'refused', error)
  }

  /**
   * Another cluster has the addresses now, where the producer id may be somebody else's: the partition goes on under
   * another one. What may be in the log of the former cluster is given up; what was never sent goes to this one.
   */
  moveToOtherCluster(queue: PartitionQueue): void {
    const { head, sequence } = queue
    if (!sequence) return
    if (head?.encoded && (head.mayBeInLog || queue.inFlight))
      this.giveUpHead(queue, 'the cluster was replaced by another')
    else head?.unseal()
    sequence.retire()
    this.schedule(queue)
  }

  stop(): void {
    this.#stopped.abort(new ClosedError('the producer'))
    for (const pause of this.#pauses) pause.cancel()
    this.#pauses.clear()
    for (const broker of this.#brokers.values()) broker.stop()
  }

  inspect(): SenderState {
    return {
      brokers: [...this.#brokers.values()].map((broker) => broker.inspect()),
      leaderlessPartitions: this.#search.leaderlessPartitions,
      metadataError: this.#search.lastError?.message ?? null,
    }
  }

  #scheduleAfter(pauseMs: number, queue: PartitionQueue): void {
    const pause = this.#config.clock.setTimeout(() => {
      this.#pauses.delete(pause)
      this.#reschedule(queue)
    }, pauseMs)
    this.#pauses.add(pause)
  }

  #reschedule(queue: PartitionQueue): void {
    queue.scheduled = false
    this.schedule(queue)
  }

  async #renewProducerId(queue: PartitionQueue): Promise<void> {
    try {
      const sequence = queue.sequence!
      sequence.renew(await this.#parts.producerIds.other(sequence.identity, this.#stopped.signal))
    } catch (error) {
      const batch = queue.head
      if (batch) batch.lastError = error as Error
      queue.notBeforeMs = this.#config.clock.monotonicMs() + this.#config.maxRetryBackoffMs
    }
    this.#reschedule(queue)
  }

  #broker(node: BrokerNode): BrokerSender {
    let broker = this.#brokers.get(node.id)
    if (!broker) {
      broker = new BrokerSender(node, this.#config, this.#cluster.driver, this.#hooks)
      this.#brokers.set(node.id, broker)
    }
    return broker
  }

  #wakeAll(): void {
    for (const broker of this.#brokers.values()) broker.wake()
  }

  #reroute(): void {
    for (const broker of this.#brokers.values()) broker.reroute()
  }

  #seal(queue: PartitionQueue): RecordBatch | undefined {
    if (queue.sequence?.isUsedUp) return undefined
    const batch = queue.takeHead()
    if (!batch || batch.encoded) return batch
    const identity = queue.sequence?.take(batch.records.length) ?? null
    try {
      batch.seal(this.#config.compression, identity, this.#buffers.take)
      return batch
    } catch (error) {
      if (identity) queue.sequence!.giveBack(identity)
      batch.lastError = error as Error
      this.giveUpHead(queue, 'the batch cannot be encoded')
      return undefined
    }
  }

  #onResult({ queue, batch }: SentBatch, result: ProduceResult): void {
    // Given up while it was in flight: its records have been told.
    if (queue.head !== batch) return
    queue.inFlight = false
    const { errorCode, baseOffset } = result
    const { attempts, mayBeInLog } = batch
    const [records, namedRecords] = [batch.records.length, result.recordErrors.length]
    const verdict = judge({ errorCode, baseOffset, records, namedRecords, attempts, mayBeInLog }, this.#config)
    batch.mayBeInLog ||= leavesDoubt(result)
    if (verdict !== 'delivered') this.#noteError(queue, batch, result)
    switch (verdict) {
      case 'delivered':
        queue.dropHead()
        // A duplicate is in the log, but where is not said.
        this.#parts.settlement.deliver(batch, { ...result, baseOffset: errorCode === 0 ? baseOffset : -1 })
        // A request before this one, or one without an answer, may still be on its way out of the socket.
        if (attempts === 1 && this.#config.acks !== 0) this.#buffers.give(batch.encoded!)
        break
      case 'retry':
        this.#pauseBeforeRetry(queue, batch, result)
        break
      case 'reseal':
        queue.sequence!.bumpEpoch()
        batch.unseal()
        this.#pauseBeforeRetry(queue, batch, result)
        break
      case 'split':
        if (batch.identity) queue.sequence!.giveBack(batch.identity)
        this.#parts.onTooLarge(queue.topic, batch)
        queue.replaceHead(batch.split())
        break
      case 'isolate':
        this.#isolation.isolate(queue, batch, result)
        break
      case 'give_up':
        this.giveUpHead(queue, 'the broker refused a batch', blameFor(batch, result))
    }
    this.schedule(queue)
  }

  #noteError({ topic, partition }: PartitionQueue, batch: RecordBatch, result: ProduceResult): void {
    const { errorCode, errorMessage, leaderHint } = result
    batch.lastError = brokerError(errorCode, errorMessage, { topic, partition })
    if (leaderHint) this.#cluster.noteLeader(topic, partition, leaderHint)
    if (classify(errorCode).refreshMetadata) this.#search.refresh(topic)
  }

  /** No pause where the broker named the new leader, the first time. */
  #pauseBeforeRetry(queue: PartitionQueue, batch: RecordBatch, { leaderHint }: ProduceResult): void {
    if (!leaderHint || batch.attempts > 1) queue.pauseUntilRetry(this.#config.clock.monotonicMs())
  }

  /** The whole request failed. The broker's own loop pauses; its partitions go on wherever they are led then. */
  #onFailure({ queue, batch }: SentBatch, error: Error): void {
    if (queue.head !== batch) return
    queue.inFlight = false
    batch.mayBeInLog ||= mayHaveArrived(error)
    batch.lastError = error
    if (batch.attempts > this.#config.retries) {
      this.giveUpHead(queue, `a batch could not be sent in ${batch.attempts} attempts`)
      return
    }
    this.#search.refresh(queue.topic)
    this.schedule(queue)
  }
}
