import type { Admin } from '../admin/admin.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { DeadLetter } from './dead-letter-headers.ts'
import { retryTopic } from './topic-names.ts'

/** Where a letter is sent back to. */
export interface ReplayTarget {
  readonly topic: string
  /** Undefined: the partitioner chooses. */
  readonly partition: number | undefined
  /** Whether it waits there for one group alone. */
  readonly isRetry: boolean
}

/** Knows where letters go; asks the cluster once for each topic and group. */
export class ReplayTargets {
  readonly #to: 'retry' | 'origin'
  readonly #cluster: Cluster
  readonly #admin: Admin
  /** By topic: how many partitions it has. */
  readonly #sizes = new Map<string, number>()
  /** By group: the topics that it reads, as far as its commits tell. */
  readonly #readBy = new Map<string, ReadonlySet<string>>()

  constructor(to: 'retry' | 'origin', cluster: Cluster, admin: Admin) {
    this.#to = to
    this.#cluster = cluster
    this.#admin = admin
  }

  /** Undefined: its group has no retry topic that it reads. */
  async of({ topic, partition, group }: DeadLetter): Promise<ReplayTarget | undefined> {
    if (this.#to === 'origin' || group === null) return await this.#target(topic, partition, false)
    const waiting = retryTopic(topic, group)
    if ((await this.#sizeOf(waiting)) === 0 || !(await this.#topicsOf(group)).has(waiting)) return undefined
    return await this.#target(waiting, partition, true)
  }

  async #target(topic: string, partition: number, isRetry: boolean): Promise<ReplayTarget> {
    const isThere = partition >= 0 && partition < (await this.#sizeOf(topic))
    return { topic, partition: isThere ? partition : undefined, isRetry }
  }

  async #sizeOf(name: string): Promise<number> {
    const known = this.#sizes.get(name)
    if (known !== undefined) return known
    await this.#cluster.refresh([name])
    const size = this.#cluster.topic(name)?.partitions.length ?? 0
    this.#sizes.set(name, size)
    return size
  }

  async #topicsOf(group: string): Promise<ReadonlySet<string>> {
    const known = this.#readBy.get(group)
    if (known !== undefined) return known
    const committed = await this.#admin.committedOffsets(group)
    const topics = new Set(committed.filter(({ offset }) => offset >= 0).map(({ topic }) => topic))
    this.#readBy.set(group, topics)
    return topics
  }
}
