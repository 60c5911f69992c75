import type { Clock } from '@sluice/flow'
import { Deadline } from '../admin/deadline.ts'
import { offsetsAt, type OffsetAt } from '../admin/find-offsets.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { topicError } from '../cluster/topic-error.ts'
import type { AnyTopic } from '../record/sources.ts'
import type { ReaderSettings } from './options.ts'
import { ReadPartition } from './read-partition.ts'

/** A partition of a topic. */
interface PartitionPlace {
  readonly topic: string
  readonly partition: number
}

/** Looks up where each partition begins and ends. @throws BrokerError for a topic that is not there */
export class Places<T extends AnyTopic> {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #settings: ReaderSettings<T>

  constructor(cluster: Cluster, clock: Clock, settings: ReaderSettings<T>) {
    this.#cluster = cluster
    this.#clock = clock
    this.#settings = settings
  }

  /** All that is to be read, each at its first position. */
  async open(): Promise<readonly ReadPartition<T>[]> {
    const { topics } = this.#settings
    await this.#cluster.refresh(topics.map(({ name }) => name))
    const selected = topics.flatMap((topic) => this.#selected(topic).map((partition) => ({ topic, partition })))
    const places = selected.map(({ topic, partition }) => ({ topic: topic.name, partition }))
    const [starts, ends, from] = [await this.#at(places, 'earliest'), await this.#at(places, 'latest'), places]
    const wanted = await this.#wanted(from, starts, ends)
    return selected.map(({ topic, partition }, index) => {
      const key = keyOf(places[index]!)
      const [start, end] = [starts.get(key) ?? 0, ends.get(key) ?? 0]
      const position = Math.min(Math.max(wanted.get(key) ?? start, start), Math.max(start, end))
      return this.#partition(topic, { partition, position, end: this.#settings.follow ? Infinity : end })
    })
  }

  /** A partition that was added to a topic meanwhile. */
  added(topic: T, partition: number): ReadPartition<T> {
    return this.#partition(topic, { partition, position: 0, end: Infinity })
  }

  /** Partitions of a topic that are to be read, as far as is known. */
  #selected({ name }: T): readonly number[] {
    const { partitions: only, from } = this.#settings
    const topic = this.#cluster.topic(name)
    if (!topic || topic.errorCode !== 0) throw topicError(name, topic?.errorCode)
    const all = topic.partitions.map(({ partition }) => partition)
    const own = typeof from === 'object' && 'offsets' in from ? from.offsets : undefined
    return all.filter(
      (partition) =>
        (only?.has(partition) ?? true) &&
        (own?.some((place) => place.topic === name && place.partition === partition) ?? true),
    )
  }

  /** The log was cut off, or made anew: the nearer end of what there is now. */
  async nearest({ topicName, partition, position }: ReadPartition, signal: AbortSignal): Promise<number> {
    const place = { topic: topicName, partition }
    const start = (await this.#at([place], 'earliest', signal)).get(keyOf(place)) ?? 0
    const end = (await this.#at([place], 'latest', signal)).get(keyOf(place)) ?? start
    return Math.min(Math.max(position, start), Math.max(start, end))
  }

  async #wanted(
    places: readonly PartitionPlace[],
    starts: ReadonlyMap<string, number>,
    ends: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<string, number>> {
    const { from } = this.#settings
    if (from === 'earliest') return starts
    if (from === 'latest') return ends
    if ('offsets' in from) return new Map(from.offsets.map((place) => [keyOf(place), place.offset]))
    if ('offset' in from) return new Map(places.map((place) => [keyOf(place), from.offset]))
    if ('last' in from) return new Map(Array.from(ends, ([key, end]) => [key, end - from.last]))
    const found = await this.#at(places, from.timestampMs)
    return new Map(Array.from(found, ([key, offset]) => [key, offset < 0 ? (ends.get(key) ?? 0) : offset]))
  }

  async #at(
    places: readonly PartitionPlace[],
    at: OffsetAt,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, number>> {
    const { isolation, patienceMs } = this.#settings
    const deadline = new Deadline(this.#clock, {
      timeoutMs: Math.min(patienceMs, 30_000),
      ...(signal && { signal }),
    })
    const found = await offsetsAt(this.#cluster, places, at, isolation, deadline)
    return new Map(found.map((one) => [keyOf(one), one.offset]))
  }

  #partition(topic: T, place: { partition: number; position: number; end: number }): ReadPartition<T> {
    return new ReadPartition(topic, this.#cluster.topic(topic.name)!.id, place)
  }
}

function keyOf({ topic, partition }: PartitionPlace): string {
  return `${topic}/${partition}`
}
