import { topicError, isUnknownTopic, unknownTopicGraceMs } from '../../cluster/topic-error.ts'
import { classify } from '../../driver/classify.ts'
import { BrokerError, DeliveryError } from '../../errors.ts'
import type { Accumulator } from '../queue/accumulator.ts'
import type { ProducerActivity } from './activity.ts'
import { newBackoff } from '../options.ts'
import type { ProducerConfig } from '../options.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'
import type { ProducerCluster } from '../producer-cluster.ts'
import type { Settlement } from '../queue/settlement.ts'
import { requirePartition } from '../queue/topic-queue.ts'
import type { TopicQueue } from '../queue/topic-queue.ts'

export interface TopicSearchParts {
  readonly config: ProducerConfig
  readonly cluster: ProducerCluster
  readonly accumulator: Accumulator
  readonly settlement: Settlement
  readonly signal: AbortSignal
  /** The cluster could not be asked; that is tried again. */
  readonly onTrouble: (during: ProducerActivity, error: Error) => void
}

/**
 * Finds the partitions of topics that are new to the producer, and asks once for those beyond what is known; only the
 * records for them wait for that.
 */
export class TopicSearch {
  readonly #parts: TopicSearchParts

  constructor(parts: TopicSearchParts) {
    this.#parts = parts
  }

  /** Returns at once. In the end the waiting records are in the accumulator, or rejected, or past their time. */
  start(topic: TopicQueue): void {
    topic.locating = true
    void this.#locate(topic)
  }

  async #locate(topic: TopicQueue): Promise<void> {
    do await this.#lookUntilKnown(topic)
    while (topic.waiting.length > 0 && !this.#parts.signal.aborted)
    topic.locating = false
    if (!topic.isKnown) this.#parts.accumulator.forget(topic)
  }

  async #lookUntilKnown(topic: TopicQueue): Promise<void> {
    const { config, signal } = this.#parts
    const startedAtMs = config.clock.monotonicMs()
    const backoff = newBackoff(config)
    while (topic.waiting.length > 0 && !signal.aborted) {
      topic.searchError = await this.#look(topic)
      if (!topic.searchError) return
      if (isHopeless(topic.searchError, config.clock.monotonicMs() - startedAtMs)) return this.#refuse(topic)
      // The last look at a topic that stays unknown is at the end of its time, not a pause later.
      const leftMs = startedAtMs + unknownTopicGraceMs - config.clock.monotonicMs()
      const waitMs = isUnknownTopic(topic.searchError) ? Math.min(backoff.nextMs(), leftMs) : backoff.nextMs()
      await config.clock.sleep(waitMs, signal).catch(() => {})
    }
  }

  /** Undefined where the topic is known now: then nobody waits for it any more. Else why not. */
  async #look(topic: TopicQueue): Promise<Error | undefined> {
    const { cluster, accumulator } = this.#parts
    try {
      await cluster.refresh([topic.name])
    } catch (error) {
      if (!this.#parts.signal.aborted) this.#parts.onTrouble('metadata', error as Error)
      return error as Error
    }
    // Known and released in one go, or a record that is sent in between would overtake those that wait.
    if (accumulator.followMetadata(topic)) return this.#release(topic)
    return topicError(topic.name, cluster.topic(topic.name)?.errorCode)
  }

  #release(topic: TopicQueue): undefined {
    topic.countedAtMs = this.#parts.config.clock.monotonicMs()
    const failed: Array<readonly [PendingRecord, Error]> = []
    for (let record = topic.waiting.shift(); record; record = topic.waiting.shift()) {
      try {
        requirePartition(topic, record.partition)
      } catch (error) {
        failed.push([record, error as Error])
        continue
      }
      void this.#parts.accumulator.append(topic, record)
    }
    // Only now: whoever is let into their places must not overtake those that have waited.
    for (const [record, error] of failed) this.#parts.settlement.fail([record], 'refused', error)
  }

  #refuse(topic: TopicQueue): void {
    const records: PendingRecord[] = [...topic.waiting]
    topic.waiting.clear()
    const message = `nothing can be written to ${topic.name}`
    const error = new DeliveryError(topic.name, -1, 'refused', message, topic.searchError)
    this.#parts.settlement.fail(records, 'refused', error)
  }
}

function isHopeless(error: Error | undefined, searchedForMs: number): boolean {
  if (!(error instanceof BrokerError)) return false
  return isUnknownTopic(error) ? searchedForMs >= unknownTopicGraceMs : !classify(error.apiCode).retriable
}
