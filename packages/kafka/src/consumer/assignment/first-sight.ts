import type { CommittedOffset, TopicMetadata } from '../../driver/driver.ts'
import { originOf } from './origin.ts'
import type { AssignedPartition } from '../partition.ts'

/** What the group knew of a topic before this consumer joined it. */
interface Sight {
  readonly topicId: string
  /** Partitions that the topic had when the group began to read it, as far as can be told; those beyond are new. */
  readonly begunWith: number
  /** Some of those have no commit yet: a commit of another one says so, or they would be taken for new. */
  readonly isIncomplete: boolean
}

/**
 * Which partitions came into being after the group had begun to read their topic. They start at their earliest record
 * whatever the policy, or what was written before they were noticed would be skipped.
 */
export class FirstSight {
  readonly #sights = new Map<string, Sight>()

  /** All the partitions of a topic that does not exist yet are new once it does. */
  noteMissing(topic: string): void {
    this.#sights.set(topic, { topicId: '', begunWith: 0, isIncomplete: false })
  }

  /** `committed`: what the group has of this topic, and of no other. */
  note({ name, id, partitions }: TopicMetadata, committed: readonly CommittedOffset[]): void {
    const own = committed.filter(({ offset }) => offset >= 0)
    const begunWith = begunWithOf(own, partitions.length)
    const isIncomplete = own.filter(({ partition }) => partition < begunWith).length < begunWith
    this.#sights.set(name, { topicId: id, begunWith, isIncomplete })
  }

  isNew({ topicName, topicId, partition }: AssignedPartition): boolean {
    const sight = this.#sights.get(topicName)
    return sight !== undefined && (sight.topicId !== topicId || partition >= sight.begunWith)
  }

  /** For the commits of this partition; -1: they need not say it. */
  originFor({ topicName, topicId }: AssignedPartition): number {
    const sight = this.#sights.get(topicName)
    const mustSay = sight?.isIncomplete === true && sight.topicId === topicId && sight.begunWith > 1
    return mustSay ? sight.begunWith : -1
  }
}

/** Of a group that has begun and does not say with how many, they are those up to the last that it has committed. */
function begunWithOf(committed: readonly CommittedOffset[], partitions: number): number {
  if (committed.length === 0) return partitions
  const told = committed.map(({ metadata }) => originOf(metadata)).filter((origin) => origin >= 0)
  if (told.length > 0) return Math.min(partitions, ...told)
  return 1 + Math.max(...committed.map(({ partition }) => partition))
}
