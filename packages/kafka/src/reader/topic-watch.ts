import type { Clock } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import type { AnyTopic } from '../record/sources.ts'
import { brokerError, classify, errorCode } from '../driver/classify.ts'
import type { ReaderSettings } from './options.ts'
import type { ReadPartition } from './read-partition.ts'

/** How often a reader that follows asks whether partitions were added. */
const LOOK_MS = 10_000
/** A broker that has just started may not know a topic yet. */
const GONE_MS = 5_000

const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

/** Notices that a topic is gone, and partitions that were added to one. */
export class TopicWatch<T extends AnyTopic> {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #settings: ReaderSettings<T>
  #goneSinceMs: number | undefined
  #lookedMs: number

  constructor(cluster: Cluster, clock: Clock, settings: ReaderSettings<T>) {
    this.#cluster = cluster
    this.#clock = clock
    this.#settings = settings
    this.#lookedMs = clock.monotonicMs()
  }

  /** Whether it is time to ask for partitions that were added. */
  get isDue(): boolean {
    return this.#settings.follow && this.#clock.monotonicMs() - this.#lookedMs >= LOOK_MS
  }

  /**
   * Partitions that are to be read as well.
   * @throws BrokerError where a topic is gone, was made anew, or may no longer be seen
   */
  async look(
    known: readonly ReadPartition<T>[],
    signal: AbortSignal,
  ): Promise<readonly { readonly topic: T; readonly partition: number }[]> {
    const nowMs = this.#clock.monotonicMs()
    this.#requirePresent(known, nowMs)
    if (!this.isDue) return []
    this.#lookedMs = nowMs
    try {
      await this.#cluster.refresh(
        this.#settings.topics.map(({ name }) => name),
        signal,
      )
    } catch {
      // Whoever fetches meets it as well, and tells.
      return []
    }
    return this.#settings.topics.flatMap((topic) => this.#added(topic, known))
  }

  #added(topic: T, known: readonly ReadPartition<T>[]): { readonly topic: T; readonly partition: number }[] {
    if (this.#settings.partitions !== undefined) return []
    const highest = known.reduce((max, one) => (one.topic === topic ? Math.max(max, one.partition) : max), -1)
    const all = this.#cluster.topic(topic.name)?.partitions ?? []
    return all.filter(({ partition }) => partition > highest).map(({ partition }) => ({ topic, partition }))
  }

  #requirePresent(known: readonly ReadPartition<T>[], nowMs: number): void {
    const gone = known.find(({ topicName, topicId, wantsFetch }) => {
      const topic = this.#cluster.topic(topicName)
      if (topic && classify(topic.errorCode).fatal) throw brokerError(topic.errorCode, null, { topic: topicName })
      return wantsFetch && topic !== undefined && (topic.errorCode === unknownTopic || topic.id !== topicId)
    })
    if (!gone) this.#goneSinceMs = undefined
    else if (nowMs - (this.#goneSinceMs ??= nowMs) >= GONE_MS) {
      throw brokerError(unknownTopic, 'it was deleted while it was read', { topic: gone.topicName })
    }
  }
}
