import { ConfigError, type Clock } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import type { CommittedOffset, Isolation, ListedGroup, PartitionKey } from '../driver/driver.ts'
import { Deadline } from './deadline.ts'
import {
  describeGroups,
  type GroupDescription,
  type GroupListing,
  listGroups,
  surveyGroupList,
} from './describe-groups.ts'
import type { OffsetAt, PartitionOffset } from './find-offsets.ts'
import { alterGroupOffsets, deleteGroup, deleteGroupOffsets } from './groups.ts'
import { Inquiry } from './inquiry.ts'
import { lagsOf, type LagQuery, type PartitionLag } from './lag.ts'
import { committedOffsets, type OffsetSurvey, offsetsOf, surveyOffsets } from './offsets.ts'
import { type AdminCallOptions, defaultAdminTimeoutMs, type SurveyOptions } from './options.ts'
import { type GroupsSurvey, surveyGroups } from './survey-groups.ts'
import { surveyTopics, type TopicsSurvey } from './survey-topics.ts'
import { deleteRecords, type LogStart } from './records.ts'
import {
  abortOpenTransaction,
  describeTransactions,
  fenceProducer,
  openTransactions,
  surveyTransactions,
  type OpenTransaction,
  type TransactionDescription,
  type TransactionsSurvey,
} from './transactions.ts'
import {
  alterTopic,
  createTopics,
  deleteTopics,
  describeTopics,
  listTopics,
  type CreatedTopic,
  type TopicChange,
  type TopicDescription,
  type TopicSpec,
} from './topics.ts'
import type { OffsetPlace, PartitionPlace } from '../record/places.ts'

/**
 * Topics, groups and offsets of a cluster. Shares the connections of its `Kafka` and needs no closing.
 *
 * `offsets`, `lag`, `lags`, `listGroups` and `describeGroups` return all that was asked for or reject. The surveys are
 * for tools: they ask all brokers at the same time, wait `silentMs` for a silent one, and return what is known with the
 * reason for each part that is not. They reject only where no broker answers at all.
 */
export class Admin {
  readonly #cluster: Cluster
  readonly #clock: Clock

  /** @internal */
  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  /**
   * Creates topics and waits until every partition has a leader and every broker that answers knows of it.
   * @throws BrokerError, such as `TOPIC_ALREADY_EXISTS` (not with `ifNotExists`); ClusterTimeoutError; ConfigError
   */
  async createTopics(
    topics: readonly TopicSpec[],
    options: AdminCallOptions & { readonly ifNotExists?: boolean } = {},
  ): Promise<readonly CreatedTopic[]> {
    return await createTopics(this.#cluster, topics, options.ifNotExists ?? false, this.#deadline(options))
  }

  /**
   * Deletes topics and waits until every broker that answers knows that they are gone.
   * @throws BrokerError, ClusterTimeoutError
   */
  async deleteTopics(
    names: readonly string[],
    options: AdminCallOptions & { readonly ifExists?: boolean } = {},
  ): Promise<void> {
    return await deleteTopics(this.#cluster, names, options.ifExists ?? false, this.#deadline(options))
  }

  /** Names, sorted; Kafka's own topics only with `internal`. @throws ClusterTimeoutError; ConnectionError and the like */
  async listTopics(options: AdminCallOptions & { readonly internal?: boolean } = {}): Promise<readonly string[]> {
    return await listTopics(this.#cluster, options.internal ?? false, this.#deadline(options))
  }

  /**
   * Partitions, leaders and settings.
   * @param options.configs false leaves the settings out, which need a right of their own. Default true.
   * @throws BrokerError `UNKNOWN_TOPIC_OR_PARTITION`; ClusterTimeoutError
   */
  async describeTopics(
    names: readonly string[],
    options: AdminCallOptions & { readonly configs?: boolean } = {},
  ): Promise<readonly TopicDescription[]> {
    return await describeTopics(this.#cluster, names, options.configs ?? true, this.#deadline(options))
  }

  /**
   * Gives a topic other settings, or more partitions. Keys find other partitions from then on: the order of a key's
   * records is broken once.
   * @param options.validateOnly only asks the brokers whether they would do it
   * @throws ConfigError for fewer partitions than there are; BrokerError, such as `INVALID_CONFIG`
   */
  async alterTopic(
    name: string,
    change: TopicChange,
    options: AdminCallOptions & { readonly validateOnly?: boolean } = {},
  ): Promise<void> {
    return await alterTopic(this.#cluster, name, change, options.validateOnly ?? false, this.#deadline(options))
  }

  /** Deletes all records of a partition before an offset, -1 for its end; returns where each log begins now. */
  async deleteRecords(before: readonly OffsetPlace[], options: AdminCallOptions = {}): Promise<readonly LogStart[]> {
    return await deleteRecords(this.#cluster, before, this.#deadline(options))
  }

  /**
   * Topics with the ends of their logs: these, else all.
   * @param options.internal Kafka's own topics as well, where all are asked for. Default false.
   * @throws ConnectionError and the like where no broker answers
   */
  async surveyTopics(
    names: readonly string[] | null = null,
    options: SurveyOptions & { readonly internal?: boolean } = {},
  ): Promise<TopicsSurvey> {
    return await surveyTopics(this.#cluster, names, options.internal ?? false, new Inquiry(this.#clock, options))
  }

  /** The groups of all brokers, of every protocol. @throws what a broker failed with that did not tell its own */
  async listGroups(options: AdminCallOptions = {}): Promise<readonly ListedGroup[]> {
    const listing = listGroups(this.#cluster, this.#patiently(options))
    return await this.#deadline(options).limit('not every broker told about its groups', listing)
  }

  /** The same of the brokers that answer. @throws ConnectionError and the like where none does */
  async surveyGroupList(options: SurveyOptions = {}): Promise<GroupListing> {
    const { groups, unknown } = await surveyGroupList(this.#cluster, new Inquiry(this.#clock, options))
    return { groups: groups.map(({ group, state, type }) => ({ group, state, type })), unknown }
  }

  /**
   * Groups with their members and how far they are behind: these, else all.
   * @throws ConnectionError and the like where no broker answers
   */
  async surveyGroups(names: readonly string[] | null = null, options: SurveyOptions = {}): Promise<GroupsSurvey> {
    return await surveyGroups(this.#cluster, names, new Inquiry(this.#clock, options))
  }

  /** Members and who owns what. @throws BrokerError `GROUP_ID_NOT_FOUND` */
  async describeGroups(
    groups: readonly string[],
    options: AdminCallOptions = {},
  ): Promise<readonly GroupDescription[]> {
    const describing = describeGroups(this.#cluster, groups, this.#patiently(options))
    return await this.#deadline(options).limit(`no coordinator told about ${groups.join(', ')}`, describing)
  }

  /** Deletes a group with all that it has committed. @throws BrokerError `NON_EMPTY_GROUP`, `GROUP_ID_NOT_FOUND` */
  async deleteGroup(group: string, options: AdminCallOptions = {}): Promise<void> {
    return await deleteGroup(this.#cluster, group, this.#deadline(options))
  }

  /**
   * Commits in a group's place, a group that does not exist yet too. What its offset maps said is forgotten.
   * @throws BrokerError `NON_EMPTY_GROUP` while the group has members
   */
  async alterOffsets(group: string, offsets: readonly OffsetPlace[], options: AdminCallOptions = {}): Promise<void> {
    const commits = offsets.map((place) => ({ ...place, leaderEpoch: -1, metadata: '' }))
    return await alterGroupOffsets(this.#cluster, group, commits, this.#deadline(options))
  }

  /** Forgets what a group has committed. @throws BrokerError `GROUP_SUBSCRIBED_TO_TOPIC` while the group reads there */
  async deleteOffsets(group: string, places: readonly PartitionPlace[], options: AdminCallOptions = {}): Promise<void> {
    return await deleteGroupOffsets(this.#cluster, group, places, this.#deadline(options))
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
    requireAt(at)
    return await offsetsOf(this.#cluster, topics, at, options.isolation ?? 'read_uncommitted', this.#deadline(options))
  }

  /**
   * The offsets that can be found out now, and why the others cannot; as `offsets` otherwise.
   * @throws BrokerError for a topic that is not there; ConnectionError and the like where no broker answers
   */
  async surveyOffsets(
    topics: readonly string[],
    at: OffsetAt = 'latest',
    options: SurveyOptions & { readonly isolation?: Isolation } = {},
  ): Promise<OffsetSurvey> {
    requireAt(at)
    const inquiry = new Inquiry(this.#clock, options)
    return await surveyOffsets(this.#cluster, topics, at, options.isolation ?? 'read_uncommitted', inquiry)
  }

  /** How far a group is behind, for each partition of the topics that it has committed in, and of `topics`. */
  async lag(
    group: string,
    options: AdminCallOptions & { readonly topics?: readonly string[] } = {},
  ): Promise<readonly PartitionLag[]> {
    const query = { group, topics: options.topics ?? [] }
    return (await lagsOf(this.#cluster, [query], this.#deadline(options))).get(group)!
  }

  /** The same of many groups, by their names: the ends of each topic are asked for once. */
  async lags(
    groups: readonly LagQuery[],
    options: AdminCallOptions = {},
  ): Promise<ReadonlyMap<string, readonly PartitionLag[]>> {
    return await lagsOf(this.#cluster, groups, this.#deadline(options))
  }

  /**
   * Limits what producers of a client id may write, in bytes a second on each broker; null lifts the limit.
   * @throws ClusterTimeoutError: it is not known whether it was set
   */
  async setProducerQuota(
    clientId: string,
    bytesPerSecond: number | null,
    options: AdminCallOptions = {},
  ): Promise<void> {
    const deadline = this.#deadline(options)
    const setting = this.#cluster.driver.admin.alterClientQuota(clientId, bytesPerSecond)
    return await deadline.limit(`it is not known whether the quota of ${clientId} could be set`, setting)
  }

  /**
   * The transactional ids of the brokers that answer, with their latest transactions.
   * @param options.states only those in one of these, such as `Ongoing`; default: all
   * @param options.minAgeMs only those whose transaction began at least so long ago
   * @throws ConnectionError and the like where no broker answers
   */
  async surveyTransactions(
    options: SurveyOptions & { readonly states?: readonly string[]; readonly minAgeMs?: number } = {},
  ): Promise<TransactionsSurvey> {
    const { states = [], minAgeMs = -1 } = options
    return await surveyTransactions(this.#cluster, { states, minAgeMs }, new Inquiry(this.#clock, options))
  }

  /** Transactional ids with their latest transactions. @throws BrokerError `TRANSACTIONAL_ID_NOT_FOUND` */
  async describeTransactions(
    transactionalIds: readonly string[],
    options: AdminCallOptions = {},
  ): Promise<readonly TransactionDescription[]> {
    return await describeTransactions(this.#cluster, transactionalIds, this.#deadline(options))
  }

  /** The transactions that hold back readers of these topics, as the partitions' leaders know them. */
  async openTransactions(
    topics: readonly string[],
    options: AdminCallOptions = {},
  ): Promise<readonly OpenTransaction[]> {
    return await openTransactions(this.#cluster, topics, this.#deadline(options))
  }

  /**
   * Aborts the open transaction of a transactional id, if there is one, and fences its producer: this fails from then
   * on, as it does where another producer of the id starts.
   * @throws BrokerError `TRANSACTIONAL_ID_NOT_FOUND`
   */
  async fenceProducer(transactionalId: string, options: AdminCallOptions = {}): Promise<void> {
    await fenceProducer(this.#cluster, transactionalId, this.#deadline(options))
  }

  /**
   * Aborts the transaction that begins at this offset of one partition, and in no other: only for one that no coordinator
   * knows (see `surveyTransactions`), which never ends by itself. To end another, fence its producer.
   * @throws ConfigError where no open transaction begins there
   */
  async abortHangingTransaction(
    place: PartitionKey & { readonly startOffset: number },
    options: AdminCallOptions = {},
  ): Promise<void> {
    await abortOpenTransaction(this.#cluster, place, this.#deadline(options))
  }

  #deadline(options: AdminCallOptions): Deadline {
    return new Deadline(this.#clock, options)
  }

  /** For calls that want all or nothing: a slow broker is waited for. */
  #patiently({ timeoutMs: silentMs = defaultAdminTimeoutMs, ...options }: AdminCallOptions): Inquiry {
    return new Inquiry(this.#clock, { ...options, silentMs })
  }
}

function requireAt(at: OffsetAt): void {
  if (typeof at !== 'number' || (Number.isSafeInteger(at) && at >= 0)) return
  throw new ConfigError('at', at, "'earliest', 'latest' or milliseconds since the epoch")
}
