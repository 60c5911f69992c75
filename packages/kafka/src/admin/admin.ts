import { ConfigError, type Clock } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import type { CommittedOffset, Isolation, ListedGroup } from '../driver/driver.ts'
import { Deadline } from './deadline.ts'
import { describeGroups, listGroups, type GroupDescription } from './groups.ts'
import {
  committedOffsets,
  lagOf,
  offsetsOf,
  type OffsetAt,
  type PartitionLag,
  type PartitionOffset,
} from './offsets.ts'
import type { AdminCallOptions } from './options.ts'
import {
  createTopics,
  deleteTopics,
  describeTopics,
  listTopics,
  type CreatedTopic,
  type TopicDescription,
  type TopicSpec,
} from './topics.ts'

/** Topics, groups and offsets of a cluster. Shares the connections of its `Kafka` and needs no closing. */
export class Admin {
  readonly #cluster: Cluster
  readonly #clock: Clock

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  /**
   * Creates topics and waits until every partition has a leader.
   * @throws BrokerError, such as `TOPIC_ALREADY_EXISTS` (not with `ifNotExists`); ClusterTimeoutError; ConfigError
   */
  async createTopics(
    topics: readonly TopicSpec[],
    options: AdminCallOptions & { readonly ifNotExists?: boolean } = {},
  ): Promise<readonly CreatedTopic[]> {
    return await createTopics(this.#cluster, topics, options.ifNotExists ?? false, this.#deadline(options))
  }

  /** Deletes topics and waits until they are gone. @throws BrokerError, ClusterTimeoutError */
  async deleteTopics(
    names: readonly string[],
    options: AdminCallOptions & { readonly ifExists?: boolean } = {},
  ): Promise<void> {
    return await deleteTopics(this.#cluster, names, options.ifExists ?? false, this.#deadline(options))
  }

  /** Names, sorted; Kafka's own topics only with `internal`. */
  async listTopics({ internal = false }: { readonly internal?: boolean } = {}): Promise<readonly string[]> {
    return await listTopics(this.#cluster, internal)
  }

  /** Partitions, leaders and settings. @throws BrokerError `UNKNOWN_TOPIC_OR_PARTITION` */
  async describeTopics(names: readonly string[]): Promise<readonly TopicDescription[]> {
    return await describeTopics(this.#cluster, names)
  }

  /** The groups of all brokers. */
  async listGroups(): Promise<readonly ListedGroup[]> {
    return await listGroups(this.#cluster)
  }

  /** Members and who owns what. @throws BrokerError `GROUP_ID_NOT_FOUND` */
  async describeGroups(groups: readonly string[]): Promise<readonly GroupDescription[]> {
    return await describeGroups(this.#cluster, groups)
  }

  /** What a group has committed: the next offset to read, by partition. */
  async committedOffsets(group: string, options: AdminCallOptions = {}): Promise<readonly CommittedOffset[]> {
    return await committedOffsets(this.#cluster, group, this.#deadline(options))
  }

  /**
   * Offsets at the start, the end or a time of each partition of these topics.
   * @param options.isolation `latest` is the last stable offset with `read_committed`. Default `read_uncommitted`.
   */
  async offsets(
    topics: readonly string[],
    at: OffsetAt = 'latest',
    options: AdminCallOptions & { readonly isolation?: Isolation } = {},
  ): Promise<readonly PartitionOffset[]> {
    if (typeof at === 'number' && !(Number.isSafeInteger(at) && at >= 0)) {
      throw new ConfigError('at', at, "'earliest', 'latest' or milliseconds since the epoch")
    }
    return await offsetsOf(this.#cluster, topics, at, options.isolation ?? 'read_uncommitted', this.#deadline(options))
  }

  /** How far a group is behind, for each partition of the topics that it has committed in, and of `topics`. */
  async lag(
    group: string,
    options: AdminCallOptions & { readonly topics?: readonly string[] } = {},
  ): Promise<readonly PartitionLag[]> {
    return await lagOf(this.#cluster, group, options.topics ?? [], this.#deadline(options))
  }

  /** Limits what producers of a client id may write, in bytes a second on each broker; null lifts the limit. */
  async setProducerQuota(clientId: string, bytesPerSecond: number | null): Promise<void> {
    return await this.#cluster.driver.admin.alterClientQuota(clientId, bytesPerSecond)
  }

  #deadline(options: AdminCallOptions): Deadline {
    return new Deadline(this.#clock, options)
  }
}
