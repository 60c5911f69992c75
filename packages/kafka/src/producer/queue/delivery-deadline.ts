import type { Timer } from '@sluice/flow'
import { ClusterTimeoutError, DeliveryError } from '../../errors.ts'
import type { Accumulator } from './accumulator.ts'
import type { ProducerConfig } from '../options.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'
import type { Sender } from '../send/sender.ts'
import type { Settlement } from './settlement.ts'
import type { TopicQueue } from './topic-queue.ts'

export interface DeliveryDeadlineParts {
  readonly config: ProducerConfig
  readonly accumulator: Accumulator
  readonly sender: Sender
  readonly settlement: Settlement
}

/**
 * Gives up what was not acknowledged in time. All records have the same time, so one timer for the oldest will do: in
 * the usual case it finds that one settled long ago, and is set for the oldest there is then.
 */
export class DeliveryDeadline {
  readonly #parts: DeliveryDeadlineParts
  #timer: Timer | undefined

  constructor(parts: DeliveryDeadlineParts) {
    this.#parts = parts
  }

  /** To be called when a record is accepted. */
  watch(): void {
    this.#timer ??= this.#setTimer(this.#parts.config.deliveryTimeoutMs)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Gives up everything there is, for this reason. */
  giveUpAll(why: string): void {
    this.#giveUpUntil(Infinity, why)
  }

  #setTimer(delayMs: number): Timer {
    const { clock } = this.#parts.config
    return clock.setTimeout(() => this.#onTimer(), delayMs)
  }

  #onTimer(): void {
    const { clock, deliveryTimeoutMs } = this.#parts.config
    const nowMs = clock.monotonicMs()
    // Whoever hears that the queue is released may send: into a partition that was seen to already, for all we know.
    this.#timer = undefined
    const oldestMs = this.#giveUpUntil(nowMs - deliveryTimeoutMs, `not acknowledged within ${deliveryTimeoutMs} ms`)
    if (oldestMs === undefined) return
    this.stop()
    this.#timer = this.#setTimer(oldestMs + deliveryTimeoutMs - nowMs)
  }

  /** Returns when the oldest record that is left was accepted; undefined where none is. */
  #giveUpUntil(untilMs: number, why: string): number | undefined {
    let oldestMs = Infinity
    for (const topic of this.#parts.accumulator.topics) {
      this.#giveUpWaiting(topic, untilMs, why)
      oldestMs = Math.min(oldestMs, topic.waiting.peek()?.acceptedAtMs ?? Infinity)
      for (const queue of topic.partitions) {
        this.#giveUpQueued(queue, untilMs, why)
        oldestMs = Math.min(oldestMs, queue.oldestAcceptedAtMs ?? Infinity)
      }
    }
    return oldestMs === Infinity ? undefined : oldestMs
  }

  #giveUpWaiting(topic: TopicQueue, untilMs: number, why: string): void {
    const records: PendingRecord[] = []
    while (topic.waiting.length > 0 && topic.waiting.peek()!.acceptedAtMs <= untilMs) {
      records.push(topic.waiting.shift()!)
    }
    if (records.length > 0) this.#refuse(records, topic.name, -1, why, this.#searchError(topic, records[0]!))
  }

  #searchError({ name, searchError }: TopicQueue, { acceptedAtMs }: PendingRecord): Error {
    const waitedMs = Math.round(this.#parts.config.clock.monotonicMs() - acceptedAtMs)
    return searchError ?? new ClusterTimeoutError(`no broker has told the partitions of ${name}`, waitedMs)
  }

  #giveUpQueued(queue: PartitionQueue, untilMs: number, why: string): void {
    const oldestMs = queue.oldestAcceptedAtMs
    if (oldestMs === undefined || oldestMs > untilMs) return
    const cause = this.#parts.sender.delayReason(queue)
    if (queue.head) this.#parts.sender.giveUpLateHead(queue, why)
    if (queue.head) return
    const records = queue.takeAcceptedUntil(untilMs)
    if (records.length > 0) this.#refuse(records, queue.topic, queue.partition, why, cause)
  }

  #refuse(records: readonly PendingRecord[], topic: string, partition: number, why: string, cause: unknown): void {
    const where = partition < 0 ? topic : `${topic}/${partition}`
    const error = new DeliveryError(topic, partition, 'refused', `${where}: ${why}`, cause)
    this.#parts.settlement.fail(records, 'refused', error)
  }
}
