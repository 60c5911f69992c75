import type { Timer } from '@sluice/flow'
import type { TopicMetadata } from '../../driver/driver.ts'
import type { Delivery } from '../../record/record.ts'
import { requireTopicName } from '../../record/topic.ts'
import { newBackoff } from '../options.ts'
import type { ProducerConfig } from '../options.ts'
import { PartitionQueue } from './partition-queue.ts'
import { partitionOfKey, stickyPartition } from '../../outgoing/partitioner.ts'
import type { PartitionLoad } from '../../outgoing/partitioner.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'
import type { ProducerCluster } from '../producer-cluster.ts'
import type { PartitionSequence } from '../../outgoing/sequence.ts'
import { isBeyond, TopicQueue } from './topic-queue.ts'

export interface AccumulatorHooks {
  /** Whether somebody waits for what is in here: then no batch lingers. */
  readonly isPressed: () => boolean
  /** A batch of this partition waits for nothing but its turn. */
  readonly onDue: (queue: PartitionQueue) => void
  /** Records wait for the partitions of this topic to be known, or for a partition beyond those that are. */
  readonly onUnknownTopic: (topic: TopicQueue) => void
  /** Null: the producer is not idempotent. */
  readonly newSequence: () => PartitionSequence | null
}

/** Gathers accepted records into one open batch a partition, and says when one is due. */
export class Accumulator {
  readonly #config: ProducerConfig
  readonly #cluster: Pick<ProducerCluster, 'topic' | 'leader'>
  readonly #hooks: AccumulatorHooks
  readonly #topics = new Map<string, TopicQueue>()
  /** The sequence numbers of topics that were forgotten: the brokers remember theirs. By partition; undefined: unused. */
  readonly #sequences = new Map<string, readonly (PartitionSequence | undefined)[]>()
  /** Partitions whose open batch may wait for more records, the one that was opened first in front. */
  readonly #lingering = new Set<PartitionQueue>()
  #lingerTimer: Timer | undefined

  constructor(config: ProducerConfig, cluster: Pick<ProducerCluster, 'topic' | 'leader'>, hooks: AccumulatorHooks) {
    this.#config = config
    this.#cluster = cluster
    this.#hooks = hooks
  }

  get topics(): Iterable<TopicQueue> {
    return this.#topics.values()
  }

  /** @throws ConfigError for a name that Kafka does not allow */
  topic(name: string): TopicQueue {
    let topic = this.#topics.get(name)
    if (!topic) {
      requireTopicName('topic', name)
      topic = new TopicQueue(name, this.#config.batchBytes)
      this.#topics.set(name, topic)
      this.followMetadata(topic)
    }
    return topic
  }

  forget(topic: TopicQueue): void {
    this.#topics.delete(topic.name)
  }

  /** The record's promise. */
  append(topic: TopicQueue, record: PendingRecord): Promise<Delivery> {
    if (topic.isKnown && !isBeyond(topic, record.partition)) {
      return this.#appendTo(topic, this.#choose(topic, record), record)
    }
    topic.waiting.push(record)
    if (!topic.locating) this.#hooks.onUnknownTopic(topic)
    return record.ownPromise()
  }

  /** Partitions as the cluster knows them now. False: it does not know them. */
  followMetadata(topic: TopicQueue): boolean {
    const metadata = this.#cluster.topic(topic.name)
    if (metadata && metadata !== topic.metadata && metadata.errorCode === 0) this.#adopt(topic, metadata)
    return topic.isKnown
  }

  /** No open batch waits any longer for more records. */
  endLinger(): void {
    for (const queue of this.#lingering) this.#endLingerOf(queue)
    this.#lingerTimer?.cancel()
    this.#lingerTimer = undefined
  }

  /** A broker found a batch of this size too large for the topic: the next ones hold half of it. */
  shrinkBatches(name: string, bytes: number): void {
    const topic = this.#topics.get(name)
    if (topic) topic.batchBytes = Math.min(topic.batchBytes, bytes >>> 1)
  }

  /** The topic has fewer partitions than before: what comes from now on goes by those there are. */
  recount(name: string): void {
    const topic = this.#topics.get(name)
    if (topic && !topic.locating) this.followMetadata(topic)
  }

  /** Forgets of these topics those of which nothing waits, but for their sequence numbers. */
  forgetIdle(names: readonly string[]): void {
    for (const name of names) {
      const topic = this.#topics.get(name)
      if (!topic?.isIdle) continue
      this.forget(topic)
      const used = topic.partitions.map(({ sequence }) => (sequence?.isUnused === false ? sequence : undefined))
      if (used.some((sequence) => sequence !== undefined)) this.#sequences.set(name, used)
    }
  }

  /** Another cluster has the addresses: it knows none of the sequence numbers. */
  forgetSequences(): void {
    this.#sequences.clear()
  }

  stop(): void {
    this.#lingerTimer?.cancel()
  }

  #endLingerOf(queue: PartitionQueue): void {
    this.#lingering.delete(queue)
    queue.makeOpenDue()
    this.#hooks.onDue(queue)
  }

  #adopt(topic: TopicQueue, metadata: TopicMetadata): void {
    topic.metadata = metadata
    topic.partitionCount = metadata.partitions.length
    const known = this.#sequences.get(topic.name)
    for (let partition = topic.partitions.length; partition < topic.partitionCount; partition++) {
      const sequence = known?.[partition] ?? this.#hooks.newSequence()
      topic.partitions.push(new PartitionQueue(topic.name, partition, sequence, newBackoff(this.#config)))
    }
  }

  #choose(topic: TopicQueue, record: PendingRecord): PartitionQueue {
    return topic.partitions[this.#partitionFor(topic, record)]!
  }

  #partitionFor(topic: TopicQueue, record: PendingRecord): number {
    if (record.partition >= 0) return record.partition
    if (record.key) return partitionOfKey(record.key, topic.partitionCount)
    const fitsSticky = topic.partitions[topic.sticky]?.fitsOpen(record, topic.batchBytes) ?? false
    if (!fitsSticky) topic.sticky = stickyPartition(topic.partitionCount, this.#loadOf(topic))
    return topic.sticky
  }

  #loadOf(topic: TopicQueue): PartitionLoad {
    return {
      isAvailable: (partition) => this.#cluster.leader(topic.name, partition) !== undefined,
      backlog: (partition) => topic.partitions[partition]!.backlog,
    }
  }

  #appendTo(topic: TopicQueue, queue: PartitionQueue, record: PendingRecord): Promise<Delivery> {
    if (!queue.fitsOpen(record, topic.batchBytes)) this.#openBatch(topic, queue)
    const batch = queue.open!
    const promise = batch.append(record)
    if (batch.bytes >= topic.batchBytes) this.#closeFull(queue)
    return promise
  }

  #openBatch(topic: TopicQueue, queue: PartitionQueue): void {
    if (queue.open) this.#closeFull(queue)
    // Else a record for a new partition could overtake those that wait for it.
    if (!topic.locating) this.followMetadata(topic)
    queue.openBatch(this.#config.clock.monotonicMs())
    if (this.#config.lingerMs === 0 || this.#hooks.isPressed()) this.#endLingerOf(queue)
    else this.#linger(queue)
  }

  #closeFull(queue: PartitionQueue): void {
    queue.closeOpen()
    this.#lingering.delete(queue)
    this.#hooks.onDue(queue)
  }

  #linger(queue: PartitionQueue): void {
    this.#lingering.add(queue)
    this.#lingerTimer ??= this.#config.clock.setTimeout(() => this.#onLinger(), this.#config.lingerMs)
  }

  #onLinger(): void {
    this.#lingerTimer = undefined
    const nowMs = this.#config.clock.monotonicMs()
    for (const queue of this.#lingering) {
      const leftMs = (queue.open?.openedAtMs ?? -Infinity) + this.#config.lingerMs - nowMs
      if (leftMs > 0) {
        this.#lingerTimer = this.#config.clock.setTimeout(() => this.#onLinger(), leftMs)
        return
      }
      this.#endLingerOf(queue)
    }
  }
}
