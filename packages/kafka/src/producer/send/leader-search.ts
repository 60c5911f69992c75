import { countWithout } from '../../cluster/missing-partition.ts'
import { newBackoff } from '../options.ts'
import type { ProducerConfig } from '../options.ts'
import type { PartitionQueue } from '../queue/partition-queue.ts'
import type { ProducerCluster } from '../producer-cluster.ts'

export interface LeaderSearchHooks {
  /** The partition stands in no line any more: put it where it belongs. */
  readonly schedule: (queue: PartitionQueue) => void
  /** Leaders may have changed. */
  readonly onRefreshed: () => void
  /** The topic has only so many partitions, and this one is not among them. */
  readonly onMissing: (queue: PartitionQueue, count: number) => void
  /** The metadata could not be refreshed; that is tried again. */
  readonly onTrouble: (error: Error) => void
}

/** Refreshes stale metadata in the background, and keeps the partitions without a leader until they have one. */
export class LeaderSearch {
  readonly #config: ProducerConfig
  readonly #cluster: ProducerCluster
  readonly #signal: AbortSignal
  readonly #hooks: LeaderSearchHooks
  readonly #leaderless = new Set<PartitionQueue>()
  readonly #staleTopics = new Set<string>()
  #isSearching = false
  #lastError: Error | undefined

  constructor(config: ProducerConfig, cluster: ProducerCluster, signal: AbortSignal, hooks: LeaderSearchHooks) {
    this.#config = config
    this.#cluster = cluster
    this.#signal = signal
    this.#hooks = hooks
  }

  get leaderlessPartitions(): number {
    return this.#leaderless.size
  }

  /** Why the last refresh failed; undefined where it did not. */
  get lastError(): Error | undefined {
    return this.#lastError
  }

  add(queue: PartitionQueue): void {
    this.#leaderless.add(queue)
    this.refresh(queue.topic)
  }

  /** Returns at once: what is found is told by `onRefreshed`. */
  refresh(topic: string): void {
    this.#staleTopics.add(topic)
    if (this.#isSearching) return
    this.#isSearching = true
    void this.#search()
  }

  async #search(): Promise<void> {
    const backoff = newBackoff(this.#config)
    while (this.#staleTopics.size > 0 && !this.#signal.aborted) {
      const topics = [...this.#staleTopics]
      this.#staleTopics.clear()
      this.#lastError = await this.#cluster.refresh(topics).then(
        () => undefined,
        (error: unknown) => error as Error,
      )
      if (this.#lastError && !this.#signal.aborted) this.#hooks.onTrouble(this.#lastError)
      this.#release(this.#lastError ? [] : topics)
      this.#hooks.onRefreshed()
      for (const queue of this.#leaderless) this.#staleTopics.add(queue.topic)
      if (this.#staleTopics.size > 0) await this.#pause(backoff.nextMs())
    }
    this.#isSearching = false
  }

  /** `asked`: the topics that the cluster has just answered for. */
  #release(asked: readonly string[]): void {
    for (const queue of this.#leaderless) {
      const { topic, partition } = queue
      const count = asked.includes(topic) ? countWithout(this.#cluster, topic, partition) : undefined
      // What was given up needs no leader; what comes later is put here again.
      if (count === undefined && queue.isDue && !this.#cluster.leader(topic, partition)) continue
      this.#leaderless.delete(queue)
      queue.scheduled = false
      if (count !== undefined) this.#hooks.onMissing(queue, count)
      this.#hooks.schedule(queue)
    }
  }

  /** Ends early when the producer is closed. */
  async #pause(pauseMs: number): Promise<void> {
    await this.#config.clock.sleep(pauseMs, this.#signal).catch(() => {})
  }
}
