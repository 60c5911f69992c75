import type { BrokerNode, Driver } from '../driver.ts'

/** One call for each API and version that the driver speaks, by the name of its recorded answer. */
export const driverCalls: Readonly<Record<string, (driver: Driver, broker: BrokerNode) => Promise<unknown>>> = {
  'Produce 11': (driver, broker) => driver.produce(broker, { ...produced, version: 1 }),
  'Produce 12': (driver, broker) => driver.produce(broker, produced),
  'Fetch 17': (driver, broker) => driver.fetch(broker, fetched),
  'ListOffsets 9': (driver, broker) =>
    driver.listOffsets(broker, 'read_committed', [{ ...place, currentLeaderEpoch: -1, timestampMs: -1 }]),
  'Metadata 12': (driver) => driver.metadata(null),
  'OffsetCommit 9': (driver, broker) => driver.commitOffsets(broker, commit),
  'OffsetFetch 9': (driver, broker) =>
    driver.fetchOffsets(broker, { group: 'g', memberId: null, memberEpoch: -1, requireStable: true, topics: null }),
  'FindCoordinator 6': (driver) => driver.findCoordinator('group', 'g'),
  'DescribeGroups 5': (driver, broker) => driver.admin.describeClassicGroups(broker, ['g']),
  'ListGroups 5': (driver, broker) => driver.admin.listGroups(broker),
  'ApiVersions 3': (driver) => driver.transactionVersion(),
  'CreateTopics 7': (driver) =>
    driver.admin.createTopics([{ name: 't', partitions: 1, replicationFactor: 1, configs: {} }], 10),
  'DeleteTopics 6': (driver) => driver.admin.deleteTopics(['t'], 10),
  'DeleteRecords 2': (driver, broker) => driver.admin.deleteRecords(broker, [{ ...place, offset: 1 }], 10),
  'InitProducerId 5': (driver, broker) =>
    driver.initProducerId(broker, { transactionalId: null, transactionTimeoutMs: 10 }),
  'OffsetForLeaderEpoch 4': (driver, broker) =>
    driver.offsetsForLeaderEpoch(broker, [{ ...place, currentLeaderEpoch: -1, leaderEpoch: 0 }]),
  'AddPartitionsToTxn 3': (driver, broker) => driver.addPartitionsToTransaction(broker, transactional, [place]),
  'AddOffsetsToTxn 3': (driver, broker) => driver.addOffsetsToTransaction(broker, transactional, 'g'),
  'EndTxn 4': (driver, broker) => driver.endTransaction(broker, { version: 1, transactional, commit: true }),
  'EndTxn 5': (driver, broker) => driver.endTransaction(broker, { version: 2, transactional, commit: true }),
  'TxnOffsetCommit 3': (driver, broker) =>
    driver.commitTransactionOffsets(broker, { ...commit, version: 1, transactional }),
  'TxnOffsetCommit 5': (driver, broker) =>
    driver.commitTransactionOffsets(broker, { ...commit, version: 2, transactional }),
  'DescribeConfigs 4': (driver) => driver.admin.describeTopicConfigs(['t']),
  'CreatePartitions 3': (driver) => driver.admin.createPartitions('t', 2, 10, false),
  'DeleteGroups 2': (driver, broker) => driver.admin.deleteGroup(broker, 'g'),
  'IncrementalAlterConfigs 1': (driver) => driver.admin.alterTopicConfigs('t', { 'retention.ms': '1' }, false),
  'OffsetDelete 0': (driver, broker) => driver.admin.deleteOffsets(broker, 'g', [place]),
  'AlterClientQuotas 1': (driver) => driver.admin.alterClientQuota('t', 1),
  'ConsumerGroupHeartbeat 1': (driver, broker) => driver.heartbeat(broker, heartbeat),
  'ListTransactions 1': (driver, broker) => driver.admin.listTransactions(broker, { states: ['Ongoing'], minAgeMs: 1 }),
  'DescribeTransactions 0': (driver, broker) => driver.admin.describeTransactions(broker, ['x']),
  'DescribeProducers 0': (driver, broker) => driver.admin.describeProducers(broker, [place]),
  'WriteTxnMarkers 1': (driver, broker) =>
    driver.admin.writeAbortMarker(broker, { ...place, producerId: 1n, epoch: 0, coordinatorEpoch: 0 }),
  'ConsumerGroupDescribe 0': (driver, broker) => driver.admin.describeConsumerGroups(broker, ['g']),
}

/** The API of a recorded answer by its key in the protocol. */
export const apiKeys: Readonly<Record<string, number>> = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  DescribeGroups: 15,
  ListGroups: 16,
  SaslHandshake: 17,
  ApiVersions: 18,
  CreateTopics: 19,
  DeleteTopics: 20,
  DeleteRecords: 21,
  InitProducerId: 22,
  OffsetForLeaderEpoch: 23,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  WriteTxnMarkers: 27,
  TxnOffsetCommit: 28,
  DescribeConfigs: 32,
  SaslAuthenticate: 36,
  CreatePartitions: 37,
  DeleteGroups: 42,
  IncrementalAlterConfigs: 44,
  OffsetDelete: 47,
  AlterClientQuotas: 49,
  DescribeProducers: 61,
  DescribeTransactions: 65,
  ListTransactions: 66,
  ConsumerGroupHeartbeat: 68,
  ConsumerGroupDescribe: 69,
}

const place = { topic: 't', partition: 0 }
const transactional = { transactionalId: 'x', producerId: 1n, epoch: 0 }
const offsets = [{ ...place, offset: 1, leaderEpoch: 0, metadata: '' }]
const commit = { group: 'g', memberId: '', memberEpoch: -1, instanceId: null, offsets }
const produced = {
  acks: -1,
  timeoutMs: 10,
  transactionalId: null,
  batches: [{ ...place, batch: Buffer.alloc(70) }],
} as const
const fetchedPartition = {
  topicId: '00000000-0000-0000-0000-000000000001',
  partition: 0,
  currentLeaderEpoch: 0,
  fetchOffset: 0,
  lastFetchedEpoch: -1,
  maxBytes: 1,
}
const fetched = {
  isolation: 'read_committed',
  maxWaitMs: 1,
  minBytes: 1,
  maxBytes: 1,
  rackId: '',
  partitions: [fetchedPartition],
} as const
const heartbeat = {
  group: 'g',
  memberId: 'm',
  memberEpoch: 0,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: 10,
  topics: ['t'],
  assignor: null,
  owned: [],
}
