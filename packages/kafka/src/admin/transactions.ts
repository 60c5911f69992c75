import { ConfigError } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, classify, errorCode } from '../driver/classify.ts'
import type { BrokerNode, PartitionKey } from '../driver/driver.ts'
import type {
  AbortMarker,
  DescribedTransaction,
  PartitionProducer,
  TransactionFilter,
} from '../driver/transactions-admin.ts'
import type { Deadline } from './deadline.ts'
import { requireOurs, type UnknownBroker } from './describe-groups.ts'
import { byPlace } from './find-offsets.ts'
import type { Inquiry } from './inquiry.ts'
import { askCoordinator, placesIn } from './offsets.ts'

/** A transactional id with its latest transaction, as its coordinator knows it. */
export interface TransactionDescription {
  /** Kafka: `transactional.id`. */
  readonly transactionalId: string
  /** Of the producer that writes it. */
  readonly producerId: bigint
  readonly epoch: number
  /** As Kafka says it: `Ongoing`, `PrepareCommit`, `PrepareAbort`, `CompleteCommit`, `CompleteAbort`, `Empty` ... */
  readonly state: string
  /** After this time its coordinator aborts it. */
  readonly timeoutMs: number
  /** Null: none is open. */
  readonly startTimeMs: number | null
  /** What it has written to, the partitions of the offsets topic included. */
  readonly partitions: readonly PartitionKey[]
  /** The id of the broker that coordinates it. */
  readonly coordinator: number
}

/** The transactions of the brokers that answered, by their ids, and the brokers that did not. */
export interface TransactionsSurvey {
  /** Those of the brokers that answered. */
  readonly transactions: readonly TransactionDescription[]
  /** The brokers that did not. */
  readonly unknown: readonly UnknownBroker[]
}

/** A transaction that is open in a partition, as the partition's leader knows it. */
export interface OpenTransaction extends PartitionKey {
  /** Of the producer that writes it. */
  readonly producerId: bigint
  readonly epoch: number
  /** Of the coordinator that wrote the producer's last marker here; null: none did yet. */
  readonly coordinatorEpoch: number | null
  /** Of its first record. Readers of committed records cannot pass it. */
  readonly startOffset: number
  /** The timestamp of its newest record there, in milliseconds since the epoch. */
  readonly lastTimestampMs: number
}

/** What the coordinator does not have is not there. */
const notFound = errorCode('TRANSACTIONAL_ID_NOT_FOUND')

/** Asks every broker for the transactions that it coordinates. @throws where no broker says which brokers there are */
export async function surveyTransactions(
  cluster: Cluster,
  filter: TransactionFilter,
  inquiry: Inquiry,
): Promise<TransactionsSurvey> {
  await inquiry.refresh(cluster, [])
  const transactions: TransactionDescription[] = []
  const unknown: UnknownBroker[] = []
  const asked = cluster.brokers.map(async (broker) => {
    try {
      transactions.push(...(await transactionsOf(cluster, broker, filter, inquiry)))
    } catch (error) {
      unknown.push({ broker, error: requireOurs(error) })
    }
  })
  await Promise.all(asked)
  transactions.sort((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1))
  return { transactions, unknown: unknown.sort((a, b) => a.broker.id - b.broker.id) }
}

/** One that ends between the two questions is left out. */
async function transactionsOf(
  cluster: Cluster,
  broker: BrokerNode,
  filter: TransactionFilter,
  inquiry: Inquiry,
): Promise<readonly TransactionDescription[]> {
  const { admin } = cluster.driver
  const listed = await inquiry.ask(broker, 'ListTransactions', () => admin.listTransactions(broker, filter))
  if (listed.length === 0) return []
  const ids = listed.map(({ transactionalId }) => transactionalId)
  const described = await inquiry.ask(broker, 'DescribeTransactions', () => admin.describeTransactions(broker, ids))
  return described.filter((one) => one.errorCode === 0).map((one) => descriptionOf(one, broker))
}

/** @throws BrokerError `TRANSACTIONAL_ID_NOT_FOUND`; ClusterTimeoutError */
export async function describeTransactions(
  cluster: Cluster,
  transactionalIds: readonly string[],
  deadline: Deadline,
): Promise<readonly TransactionDescription[]> {
  const asked = transactionalIds.map((transactionalId) =>
    askCoordinator(cluster, { kind: 'transaction', key: transactionalId }, deadline, async (coordinator) => {
      const [described] = await cluster.driver.admin.describeTransactions(coordinator, [transactionalId])
      const code = described?.errorCode ?? notFound
      if (!described || code !== 0) throw brokerError(code, null, { transactionalId })
      return descriptionOf(described, coordinator)
    }),
  )
  return await Promise.all(asked)
}

function descriptionOf(described: DescribedTransaction, coordinator: BrokerNode): TransactionDescription {
  const { transactionalId, producerId, epoch, state, timeoutMs, startTimeMs, partitions } = described
  return {
    transactionalId,
    producerId,
    epoch,
    state,
    timeoutMs,
    startTimeMs: startTimeMs < 0 ? null : startTimeMs,
    partitions: [...partitions].sort(byPlace),
    coordinator: coordinator.id,
  }
}

/** At each partition's leader, again where one has moved. Sorted by topic, partition and offset. */
export async function openTransactions(
  cluster: Cluster,
  topics: readonly string[],
  deadline: Deadline,
): Promise<readonly OpenTransaction[]> {
  await deadline.refresh(cluster, topics)
  const found: OpenTransaction[] = []
  let left: readonly PartitionKey[] = topics.flatMap(placesIn(cluster))
  while (left.length > 0) {
    const again: PartitionKey[] = []
    let cause: Error | undefined
    for (const [leader, places] of Map.groupBy(left, ({ topic, partition }) => cluster.leader(topic, partition))) {
      if (leader) cause = (await openAt(cluster, leader, places, deadline, { found, again })) ?? cause
      else again.push(...places)
    }
    left = again
    if (left.length === 0) break
    await deadline.pause(`the producers of ${left.length} partitions of ${topics.join(', ')} are not known`, cause)
    await deadline.refresh(cluster, topics)
  }
  return found.sort((a, b) => byPlace(a, b) || a.startOffset - b.startOffset)
}

/** Returns why some of them are to be asked for again. */
async function openAt(
  cluster: Cluster,
  leader: BrokerNode,
  places: readonly PartitionKey[],
  deadline: Deadline,
  { found, again }: { readonly found: OpenTransaction[]; readonly again: PartitionKey[] },
): Promise<Error | undefined> {
  let failure: Error | undefined
  const question = () => cluster.driver.admin.describeProducers(leader, places)
  for (const result of await deadline.ask(leader, 'DescribeProducers', question)) {
    const { errorCode: code, errorMessage, topic, partition, producers } = result
    if (code === 0) {
      found.push(...producers.flatMap((one) => openIn({ topic, partition }, one)))
      continue
    }
    failure = brokerError(code, errorMessage, { topic, partition })
    if (!classify(code).retriable) throw failure
    again.push({ topic, partition })
  }
  return failure
}

function openIn(place: PartitionKey, producer: PartitionProducer): OpenTransaction[] {
  const { producerId, epoch, coordinatorEpoch, transactionStartOffset: startOffset, lastTimestampMs } = producer
  if (startOffset < 0) return []
  const known = coordinatorEpoch < 0 ? null : coordinatorEpoch
  return [{ ...place, producerId, epoch, coordinatorEpoch: known, startOffset, lastTimestampMs }]
}

/** Its coordinator aborts it before it gives the id to a next producer, which nobody is. */
const fencingTimeoutMs = 60_000

/** @throws BrokerError `TRANSACTIONAL_ID_NOT_FOUND`, `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`; ClusterTimeoutError */
export async function fenceProducer(cluster: Cluster, transactionalId: string, deadline: Deadline): Promise<void> {
  // For an id that is not there the next request would make one.
  await describeTransactions(cluster, [transactionalId], deadline)
  await askCoordinator(cluster, { kind: 'transaction', key: transactionalId }, deadline, (coordinator) =>
    cluster.driver.initProducerId(coordinator, { transactionalId, transactionTimeoutMs: fencingTimeoutMs }),
  )
}

/** @throws ConfigError where no transaction begins there; BrokerError; ClusterTimeoutError */
export async function abortOpenTransaction(
  cluster: Cluster,
  { topic, partition, startOffset }: PartitionKey & { readonly startOffset: number },
  deadline: Deadline,
): Promise<void> {
  const open = (await openTransactions(cluster, [topic], deadline)).filter((one) => one.partition === partition)
  const meant = open.find((one) => one.startOffset === startOffset)
  if (!meant) {
    const offsets = open.map((one) => one.startOffset).join(', ')
    const allowed = `the first offset of a transaction that is open in ${topic}/${partition}: ${offsets || 'none is'}`
    throw new ConfigError('startOffset', startOffset, allowed)
  }
  const { producerId, epoch, coordinatorEpoch } = meant
  await writeMarker(cluster, { topic, partition, producerId, epoch, coordinatorEpoch: coordinatorEpoch ?? 0 }, deadline)
}

async function writeMarker(cluster: Cluster, marker: AbortMarker, deadline: Deadline): Promise<void> {
  const { topic, partition } = marker
  for (;;) {
    const leader = cluster.leader(topic, partition)
    const question = (node: BrokerNode) => () => cluster.driver.admin.writeAbortMarker(node, marker)
    const result = leader && (await deadline.ask(leader, 'WriteTxnMarkers', question(leader)))
    const code = result?.errorCode ?? errorCode('LEADER_NOT_AVAILABLE')
    if (code === 0) return
    const failure = brokerError(code, null, { topic, partition })
    if (!classify(code).retriable) throw failure
    await deadline.pause(`the marker of ${topic}/${partition} was not written`, failure)
    await deadline.refresh(cluster, [topic])
  }
}
