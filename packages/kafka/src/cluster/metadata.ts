import { classify, errorCode } from '../driver/classify.ts'
import type { BrokerNode, ClusterMetadata, LeaderHint, PartitionMetadata, TopicMetadata } from '../driver/driver.ts'

const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

/** What is known of brokers, topics and leaders; newer knowledge replaces older, never the other way. */
export class Metadata {
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #names = new Map<string, string>()
  /** Topics that somebody asked about since `forgetUnused` was called last. */
  readonly #used = new Set<string>()
  #brokers = new Map<number, BrokerNode>()
  #clusterId: string | null = null

  get clusterId(): string | null {
    return this.#clusterId
  }

  get brokers(): readonly BrokerNode[] {
    return [...this.#brokers.values()]
  }

  get topicNames(): readonly string[] {
    return [...this.#topics.keys()]
  }

  broker(id: number): BrokerNode | undefined {
    return this.#brokers.get(id)
  }

  topic(name: string): TopicMetadata | undefined {
    const topic = this.#topics.get(name)
    if (topic) this.#used.add(name)
    return topic
  }

  topicById(id: string): TopicMetadata | undefined {
    const name = this.#names.get(id)
    return name === undefined ? undefined : this.topic(name)
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    return this.topic(topic)?.partitions[partition]
  }

  /** Drops the topics that nobody has asked about since this was called last; returns their names. */
  forgetUnused(): readonly string[] {
    const forgotten: string[] = []
    for (const [name, { id }] of this.#topics) {
      if (this.#used.has(name)) continue
      this.#topics.delete(name)
      this.#names.delete(id)
      forgotten.push(name)
    }
    this.#used.clear()
    return forgotten
  }

  /** Returns the id of the former cluster where the answer is of another one: nothing that was known holds there. */
  learn(answer: ClusterMetadata): string | undefined {
    const former = this.#clusterId
    const isReplaced = former !== null && answer.clusterId !== null && answer.clusterId !== former
    if (isReplaced) {
      this.#topics.clear()
      this.#names.clear()
    }
    this.#clusterId = answer.clusterId ?? former
    if (answer.brokers.length > 0) this.#brokers = new Map(answer.brokers.map((broker) => [broker.id, broker]))
    for (const topic of answer.topics) this.#learnTopic(topic)
    return isReplaced ? former : undefined
  }

  /** Returns whether it was news. A hint that is older than what is known, or of an unknown broker, is none. */
  noteLeader(topic: string, partition: number, { leader, leaderEpoch }: LeaderHint): boolean {
    const known = this.partition(topic, partition)
    const metadata = this.#topics.get(topic)
    if (!known || !metadata || leaderEpoch <= known.leaderEpoch || !this.#brokers.has(leader)) return false
    const partitions = metadata.partitions.with(partition, { ...known, leader, leaderEpoch, errorCode: 0 })
    this.#topics.set(topic, { ...metadata, partitions })
    return true
  }

  #learnTopic(topic: TopicMetadata): void {
    const known = this.#topics.get(topic.name)
    // A topic whose leaders are being elected has no partitions in the answer: what was known is better than nothing.
    const isPassing = topic.errorCode !== 0 && topic.errorCode !== unknownTopic && classify(topic.errorCode).retriable
    if (isPassing && known) return
    if (known && known.id !== topic.id) this.#names.delete(known.id)
    if (topic.errorCode === 0) this.#names.set(topic.id, topic.name)
    const isSame = known !== undefined && known.id === topic.id
    this.#topics.set(topic.name, isSame ? { ...topic, partitions: newest(topic.partitions, known.partitions) } : topic)
  }
}

/** A broker that lags behind may still name the leader of an epoch that is over, or not know of new partitions. */
function newest(
  answered: readonly PartitionMetadata[],
  known: readonly PartitionMetadata[],
): readonly PartitionMetadata[] {
  const newer = answered.map((partition, number) => {
    const before = known[number]
    return before && before.leaderEpoch > partition.leaderEpoch ? before : partition
  })
  // A topic loses none unless it is created again.
  return [...newer, ...known.slice(answered.length)]
}
