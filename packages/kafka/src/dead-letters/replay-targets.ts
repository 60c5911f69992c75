import type { Admin } from '../admin/admin.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { DeadLetter } from '../failure/dead-letter-headers.ts'
import { deadLetterTopic, retryTopic } from '../failure/topic-names.ts'

/** Where a letter is sent back to. */
export interface ReplayTarget {
  readonly topic: string
  /** Undefined: the partitioner chooses. */
  readonly partition: number | undefined
  /** Whether it waits there for one group alone. */
  readonly isRetry: boolean
  /** There is no such topic. */
  readonly isMissing: boolean
}

export interface ReplayTargetsOptions {
  readonly to: 'retry' | 'origin'
  /** All go there instead. */
  readonly toTopic: string | undefined
  /** The topic that the letters lie in. */
  readonly letters: string
  readonly cluster: Cluster
  readonly admin: Admin
}

/** Knows where letters go; asks the cluster once for each topic and group. */
export class ReplayTargets {
  readonly #options: ReplayTargetsOptions
  /** By topic: how many partitions it has. */
  readonly #sizes = new Map<string, number>()
  /** By group: the topics that it reads, as far as its commits tell. */
  readonly #readBy = new Map<string, ReadonlySet<string>>()

  constructor(options: ReplayTargetsOptions) {
    this.#options = options
  }

  /** Whether a letter is about the topic whose dead letters these are: it cannot send itself anywhere else. */
  allows({ topic }: DeadLetter): boolean {
    const { toTopic, letters } = this.#options
    return toTopic !== undefined || deadLetterTopic(topic) === letters
  }

  /** Undefined: its group has no retry topic that it reads. */
  async of({ topic, partition, group }: DeadLetter): Promise<ReplayTarget | undefined> {
    const { to, toTopic } = this.#options
    // Another topic has other partitions: its keys decide.
    if (toTopic !== undefined) return await this.#target(toTopic, toTopic === topic ? partition : -1, false)
    if (to === 'origin' || group === null) return await this.#target(topic, partition, false)
    const waiting = retryTopic(topic, group)
    if ((await this.#sizeOf(waiting)) === 0 || !(await this.#topicsOf(group)).has(waiting)) return undefined
    return await this.#target(waiting, partition, true)
  }

  async #target(topic: string, partition: number, isRetry: boolean): Promise<ReplayTarget> {
    const size = await this.#sizeOf(topic)
    const isThere = partition >= 0 && partition < size
    return { topic, partition: isThere ? partition : undefined, isRetry, isMissing: size === 0 }
  }

  async #sizeOf(name: string): Promise<number> {
    const known = this.#sizes.get(name)
    if (known !== undefined) return known
    const { cluster } = this.#options
    await cluster.refresh([name])
    const size = cluster.topic(name)?.partitions.length ?? 0
    this.#sizes.set(name, size)
    return size
  }

  async #topicsOf(group: string): Promise<ReadonlySet<string>> {
    const known = this.#readBy.get(group)
    if (known !== undefined) return known
    const committed = await this.#options.admin.committedOffsets(group)
    const topics = new Set(committed.filter(({ offset }) => offset >= 0).map(({ topic }) => topic))
    this.#readBy.set(group, topics)
    return topics
  }
}
