import type { listTransactionsV1, Writer } from '@platformatic/kafka'
import { answeredBy } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import type { BrokerNode, PartitionKey, PartitionResult } from '../driver.ts'
import type {
  AbortMarker,
  DescribedTransaction,
  ListedTransaction,
  PartitionProducers,
  TransactionFilter,
} from '../transactions-admin.ts'
import { library } from '../library.ts'
import { perTopic, readByTopic, readTopics } from './by-topic.ts'

const listApi = answeredBy(66, 1, listRequest, (answer) => {
  answer.skip(4)
  const errorCode = answer.int16()
  answer.array(() => answer.string())
  const transactions = answer.array((): ListedTransaction => {
    const listed = { transactionalId: answer.text(), producerId: answer.bigInt64(), state: answer.text() }
    answer.taggedFields()
    return listed
  })
  return { errorCode, transactions }
})

function listRequest({ states, minAgeMs }: TransactionFilter): Writer {
  return library().listTransactionsV1.createRequest(
    states as listTransactionsV1.TransactionState[],
    [],
    BigInt(minAgeMs),
    null,
  )
}

const describeApi = answeredBy(65, 0, 'describeTransactionsV0', (answer) => {
  answer.skip(4)
  return answer.array((): DescribedTransaction => {
    const errorCode = answer.int16()
    const [transactionalId, state] = [answer.text(), answer.text()]
    const [timeoutMs, startTimeMs] = [answer.int32(), answer.int64()]
    const [producerId, epoch] = [answer.bigInt64(), answer.int16()]
    const partitions: PartitionKey[] = []
    answer.array(() => {
      const topic = answer.text()
      answer.array(() => partitions.push({ topic, partition: answer.int32() }))
      answer.taggedFields()
    })
    answer.taggedFields()
    return { errorCode, transactionalId, state, timeoutMs, startTimeMs, producerId, epoch, partitions }
  })
})

const describeProducersApi = answeredBy(61, 0, 'describeProducersV0', (answer) =>
  readByTopic(answer, (topic): PartitionProducers => {
    const partition = answer.int32()
    const result = { topic, partition, errorCode: answer.int16(), errorMessage: answer.string() }
    return { ...result, producers: answer.array(() => readProducer(answer)) }
  }),
)

function readProducer(answer: ChunkReader) {
  const [producerId, epoch] = [answer.bigInt64(), answer.int32()]
  // The sequence number of its last record.
  answer.skip(4)
  const lastTimestampMs = answer.int64()
  const producer = {
    producerId,
    epoch,
    lastTimestampMs,
    coordinatorEpoch: answer.int32(),
    transactionStartOffset: answer.int64(),
  }
  answer.taggedFields()
  return producer
}

/** Of one marker in one partition. The library does not have this API, which brokers use among themselves. */
const writeMarkersApi = answeredBy(27, 1, writeMarkerRequest, (answer) => {
  const results: PartitionResult[] = []
  answer.array(() => {
    answer.skip(8)
    results.push(...readTopics(answer, (topic) => ({ topic, partition: answer.int32(), errorCode: answer.int16() })))
    answer.taggedFields()
  })
  return results
})

function writeMarkerRequest({ topic, partition, producerId, epoch, coordinatorEpoch }: AbortMarker): Writer {
  return library()
    .Writer.create()
    .appendArray([topic], (marker) => {
      marker
        .appendInt64(producerId)
        .appendInt16(epoch)
        // Not committed.
        .appendBoolean(false)
        .appendArray([topic], (topics) => {
          topics
            .appendString(topic)
            .appendArray([partition], (partitions, one) => partitions.appendInt32(one), true, false)
        })
        .appendInt32(coordinatorEpoch)
    })
    .appendTaggedFields()
}

export async function listTransactions(
  connections: Connections,
  coordinator: BrokerNode,
  filter: TransactionFilter,
): Promise<readonly ListedTransaction[]> {
  const { errorCode, transactions } = await connections.request(
    'admin',
    coordinator,
    'ListTransactions',
    listApi,
    filter,
  )
  if (errorCode !== 0) throw brokerError(errorCode, null, { api: 'ListTransactions', broker: coordinator.id })
  return transactions
}

export function describeTransactions(
  connections: Connections,
  coordinator: BrokerNode,
  transactionalIds: readonly string[],
): Promise<readonly DescribedTransaction[]> {
  return connections.request('admin', coordinator, 'DescribeTransactions', describeApi, [...transactionalIds])
}

export function describeProducers(
  connections: Connections,
  leader: BrokerNode,
  places: readonly PartitionKey[],
): Promise<readonly PartitionProducers[]> {
  const topics = perTopic(places, ({ partition }) => partition)
  const request = topics.map(({ name, partitions }) => ({ name, partitionIndexes: partitions }))
  return connections.request('admin', leader, 'DescribeProducers', describeProducersApi, request)
}

export async function writeAbortMarker(
  connections: Connections,
  leader: BrokerNode,
  marker: AbortMarker,
): Promise<PartitionResult> {
  const [result] = await connections.request('admin', leader, 'WriteTxnMarkers', writeMarkersApi, marker)
  if (!result)
    throw brokerError(-1, 'the answer names no partition', { topic: marker.topic, partition: marker.partition })
  return result
}
