import type { TransactionsAdmin } from './transactions-admin.ts'

/**
 * What the runtime needs from a Kafka client library, and nothing more: one typed call an API. Offsets and times are
 * Numbers (exact below 2^53). A call rejects only when the whole request failed (a `ConnectionError`, a
 * `RequestTimeoutError`, or a `BrokerError` with a top-level code); the errors of single topics and partitions come
 * back as `errorCode` in the answer (0: none), to be looked up in `classify.ts`.
 */
export interface Driver {
  /** From any broker that answers, the known ones before the bootstrap addresses. `null`: all topics. */
  metadata(topics: readonly string[] | null): Promise<ClusterMetadata>
  findCoordinator(kind: CoordinatorKind, key: string): Promise<BrokerNode>

  produce(broker: BrokerNode, request: ProduceRequest): Promise<ProduceResponse>
  /** A transactional id of null: an idempotent producer; `broker` is then any. */
  initProducerId(broker: BrokerNode, request: InitProducerIdRequest): Promise<ProducerIdentity>

  /** 2: partitions are added to a transaction by writing to them (KIP-890); 1: they have to be added before. */
  transactionVersion(): Promise<TransactionVersion>
  addPartitionsToTransaction(
    coordinator: BrokerNode,
    transactional: TransactionalIdentity,
    partitions: readonly PartitionKey[],
  ): Promise<readonly PartitionResult[]>
  addOffsetsToTransaction(coordinator: BrokerNode, transactional: TransactionalIdentity, group: string): Promise<void>
  /** Sent to the coordinator of the group; the others to that of the transactional id. */
  commitTransactionOffsets(
    coordinator: BrokerNode,
    request: TransactionOffsetsRequest,
  ): Promise<readonly PartitionResult[]>
  /** The identity of the next transaction: with version 2 its epoch is the next one. */
  endTransaction(coordinator: BrokerNode, request: EndTransactionRequest): Promise<ProducerIdentity>

  fetch(broker: BrokerNode, request: FetchRequest): Promise<FetchResponse>
  listOffsets(
    broker: BrokerNode,
    isolation: Isolation,
    queries: readonly OffsetQuery[],
  ): Promise<readonly ListedOffset[]>
  offsetsForLeaderEpoch(broker: BrokerNode, queries: readonly LeaderEpochQuery[]): Promise<readonly LeaderEpochEnd[]>

  heartbeat(coordinator: BrokerNode, request: HeartbeatRequest): Promise<HeartbeatResponse>
  commitOffsets(coordinator: BrokerNode, request: CommitRequest): Promise<readonly PartitionResult[]>
  fetchOffsets(coordinator: BrokerNode, request: FetchOffsetsRequest): Promise<readonly CommittedOffset[]>

  readonly admin: AdminDriver
  /** Requests in flight are rejected. Connections that do not end by themselves within `graceMs` are broken off. */
  close(graceMs?: number): Promise<void>
}

export type CoordinatorKind = 'group' | 'transaction'
/** Kafka: `isolation.level`. */
export type Isolation = 'read_committed' | 'read_uncommitted'

/** A broker, as the cluster advertises it. */
export interface BrokerNode {
  readonly id: number
  readonly host: string
  readonly port: number
}

export interface ClusterMetadata {
  readonly clusterId: string | null
  readonly controllerId: number
  readonly brokers: readonly BrokerNode[]
  readonly topics: readonly TopicMetadata[]
}

export interface TopicMetadata {
  readonly name: string
  /** A UUID; changes when a topic is deleted and created again. */
  readonly id: string
  readonly errorCode: number
  readonly internal: boolean
  /** By partition number, without holes. */
  readonly partitions: readonly PartitionMetadata[]
}

/** Where a partition is. */
export interface PartitionMetadata {
  readonly partition: number
  /** Of Kafka; 0: none. */
  readonly errorCode: number
  /** -1: none. */
  readonly leader: number
  /** Grows with each new leader. */
  readonly leaderEpoch: number
  /** Ids of the brokers that hold it. */
  readonly replicas: readonly number[]
  /** Ids of the brokers that are up to date. */
  readonly inSync: readonly number[]
}

/** A hint in an answer about who leads now. */
export interface LeaderHint {
  readonly leader: number
  readonly leaderEpoch: number
}

export interface ProducerIdentity {
  readonly producerId: bigint
  readonly epoch: number
}

export interface InitProducerIdRequest {
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
  /** The identity so far, for an epoch bump by the broker. */
  readonly current?: ProducerIdentity
}

export type TransactionVersion = 1 | 2

export interface TransactionalIdentity extends ProducerIdentity {
  readonly transactionalId: string
}

export interface TransactionOffsetsRequest extends CommitRequest {
  readonly version: TransactionVersion
  readonly transactional: TransactionalIdentity
}

export interface EndTransactionRequest {
  readonly version: TransactionVersion
  readonly transactional: TransactionalIdentity
  /** False aborts. */
  readonly commit: boolean
}

export interface ProduceRequest {
  readonly acks: -1 | 0 | 1
  readonly timeoutMs: number
  readonly transactionalId: string | null
  /** Of a transactional producer. Default 2. */
  readonly version?: TransactionVersion
  /** At most one batch a partition. `batch` is an encoded record batch and is not changed or kept. */
  readonly batches: readonly ProduceBatch[]
}

export interface ProduceBatch {
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
}

export interface ProduceResponse {
  readonly throttleMs: number
  /** Empty for acks 0. */
  readonly results: readonly ProduceResult[]
}

export interface RecordError {
  /** The record's place in its batch, from 0. */
  readonly index: number
  readonly message: string | null
}

export interface ProduceResult {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly errorMessage: string | null
  /** The records that made the broker refuse the batch (KIP-467); empty: it names none. */
  readonly recordErrors: readonly RecordError[]
  readonly baseOffset: number
  /** -1 unless the topic stamps records on append. */
  readonly logAppendTimeMs: number
  readonly leaderHint: LeaderHint | undefined
}

export interface FetchRequest {
  readonly isolation: Isolation
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  /** Of the client, for a leader to name a nearer replica; empty: none. */
  readonly rackId: string
  /** In the order in which the broker spends `maxBytes` on them: rotate. */
  readonly partitions: readonly FetchPartition[]
}

export interface FetchPartition {
  readonly topicId: string
  readonly partition: number
  readonly fetchOffset: number
  readonly maxBytes: number
  /** -1: unknown. */
  readonly currentLeaderEpoch: number
  /** -1: unknown; else the broker checks for a diverging log. */
  readonly lastFetchedEpoch: number
}

export interface FetchResponse {
  readonly throttleMs: number
  readonly partitions: readonly FetchedPartition[]
}

export interface FetchedPartition {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly aborted: readonly AbortedTransaction[]
  readonly leaderHint: LeaderHint | undefined
  /** A replica nearer to the client, to be fetched from in place of this one; -1: none. */
  readonly preferredReplica: number
  /** Where the log that was read so far parts from the leader's. */
  readonly diverging: { readonly epoch: number; readonly endOffset: number } | undefined
  /** Whole batches, the last one possibly cut; a buffer of its own, shared with no other partition. */
  readonly records: Buffer | null
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface OffsetQuery {
  readonly topic: string
  readonly partition: number
  readonly currentLeaderEpoch: number
  /** Milliseconds since the epoch, -1 latest, -2 earliest. */
  readonly timestampMs: number
}

export interface ListedOffset {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  /** -1: no record at or after the time asked for. */
  readonly offset: number
  readonly timestampMs: number
  readonly leaderEpoch: number
}

export interface LeaderEpochQuery {
  readonly topic: string
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly leaderEpoch: number
}

export interface LeaderEpochEnd {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly leaderEpoch: number
  readonly endOffset: number
}

/** Partitions of one topic, by topic id. */
export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

/** KIP-848. The nullable fields are sent only when they changed or on a full heartbeat. */
export interface HeartbeatRequest {
  readonly group: string
  readonly memberId: string
  /** 0 joins, -1 leaves, -2 leaves as a static member that comes back. */
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly rackId: string | null
  /** -1: unchanged. */
  readonly rebalanceTimeoutMs: number
  readonly topics: readonly string[] | null
  readonly assignor: string | null
  readonly owned: readonly TopicPartitions[] | null
}

export interface HeartbeatResponse {
  readonly throttleMs: number
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** null: unchanged. */
  readonly assignment: readonly TopicPartitions[] | null
}

export interface CommitRequest {
  readonly group: string
  readonly memberId: string
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly offsets: readonly OffsetCommit[]
}

export interface OffsetCommit {
  readonly topic: string
  readonly partition: number
  /** The next offset to read. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

export interface PartitionResult {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
}

export interface FetchOffsetsRequest {
  readonly group: string
  /** null for a reader that is not a member (admin). */
  readonly memberId: string | null
  readonly memberEpoch: number
  readonly requireStable: boolean
  /** null: everything the group has committed. */
  readonly topics: ReadonlyArray<{ readonly topic: string; readonly partitions: readonly number[] }> | null
}

/** What a group has committed for a partition. */
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  /** Of Kafka; 0: none. */
  readonly errorCode: number
  /** -1: nothing committed. */
  readonly offset: number
  /** Of the record before it; -1 where it is not known. */
  readonly leaderEpoch: number
  /** The text that was committed with it. */
  readonly metadata: string
}

export interface AdminDriver extends TransactionsAdmin {
  /** From each of these brokers that answers within a second: what is news to one is not yet known to all. */
  metadataOfEach(brokers: readonly BrokerNode[], topics: readonly string[]): Promise<readonly ClusterMetadata[]>
  createTopics(topics: readonly NewTopic[], timeoutMs: number): Promise<readonly TopicResult[]>
  deleteTopics(names: readonly string[], timeoutMs: number): Promise<readonly TopicResult[]>
  describeTopicConfigs(names: readonly string[]): Promise<readonly TopicConfigs[]>
  /** `null` puts a setting back to its default. */
  alterTopicConfigs(
    name: string,
    changes: Readonly<Record<string, string | null>>,
    validateOnly: boolean,
  ): Promise<TopicResult>
  /** `total` counts those that are there already. */
  createPartitions(name: string, total: number, timeoutMs: number, validateOnly: boolean): Promise<TopicResult>
  /** Of partitions that this broker leads: what lies before `offset` (-1: the end) goes. */
  deleteRecords(
    broker: BrokerNode,
    places: readonly RecordsPlace[],
    timeoutMs: number,
  ): Promise<readonly DeletedRecords[]>
  /** Sets a broker-wide client quota; `null` removes it. Bytes a second. */
  alterClientQuota(clientId: string, producerBytesPerSecond: number | null): Promise<void>
  /** The groups that this broker coordinates. */
  listGroups(broker: BrokerNode): Promise<readonly ListedGroup[]>
  describeConsumerGroups(coordinator: BrokerNode, groups: readonly string[]): Promise<readonly DescribedGroup[]>
  /** Groups of the protocol before KIP-848. One that is not there is `Dead`. */
  describeClassicGroups(coordinator: BrokerNode, groups: readonly string[]): Promise<readonly DescribedClassicGroup[]>
  deleteGroup(coordinator: BrokerNode, group: string): Promise<GroupResult>
  /** What a group has committed for partitions that it is not subscribed to. */
  deleteOffsets(
    coordinator: BrokerNode,
    group: string,
    places: readonly PartitionKey[],
  ): Promise<readonly PartitionResult[]>
}

export interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}

export interface TopicResult {
  readonly name: string
  readonly errorCode: number
  readonly errorMessage: string | null
}

export interface TopicConfigs extends TopicResult {
  readonly configs: Readonly<Record<string, string | null>>
  /** Of these, those that were set for this topic. */
  readonly ownConfigs: Readonly<Record<string, string | null>>
}

/** A partition of a topic. */
export interface PartitionKey {
  readonly topic: string
  readonly partition: number
}

export interface RecordsPlace extends PartitionKey {
  readonly offset: number
}

export interface DeletedRecords extends PartitionResult {
  /** Where the log begins now. */
  readonly startOffset: number
}

export interface GroupResult {
  readonly group: string
  readonly errorCode: number
}

/** A group, as a broker lists it. */
export interface ListedGroup {
  readonly group: string
  readonly state: string
  /** The protocol of the group. */
  readonly type: string
}

export interface DescribedGroup {
  readonly group: string
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly state: string
  readonly epoch: number
  readonly assignor: string
  readonly members: readonly GroupMember[]
}

export interface DescribedClassicGroup extends GroupResult {
  readonly state: string
  readonly assignor: string
  readonly members: readonly ClassicMember[]
}

export interface ClassicMember extends Omit<GroupMember, 'epoch' | 'assignment' | 'target'> {
  readonly assignment: ReadonlyArray<{ readonly topic: string; readonly partitions: readonly number[] }>
}

export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly epoch: number
  readonly clientId: string
  readonly host: string
  readonly assignment: readonly TopicPartitions[]
  readonly target: readonly TopicPartitions[]
}
