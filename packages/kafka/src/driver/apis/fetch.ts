import { fetchV17 } from '@platformatic/kafka'
import { answeredBy } from '../answer.ts'
import type { Connections } from '../connections.ts'
import { brokerError } from '../classify.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import { groupBy } from '../group-by.ts'
import type {
  BrokerNode,
  FetchedPartition,
  FetchPartition,
  FetchRequest,
  FetchResponse,
  LeaderHint,
} from '../driver.ts'

type FetchArguments = Parameters<typeof fetchV17.createRequest>

interface Answer extends FetchResponse {
  readonly errorCode: number
}

/** Without a fetch session (KIP-227): every request names its partitions, so pausing one is leaving it out. */
const noSession = { id: 0, epoch: -1 }

const api = answeredBy(1, 17, fetchV17.createRequest, readAnswer)

export async function fetch(
  connections: Connections,
  broker: BrokerNode,
  request: FetchRequest,
): Promise<FetchResponse> {
  const { maxWaitMs, minBytes, maxBytes, isolation } = request
  const answer = await connections.request(
    'fetch',
    broker,
    'Fetch',
    api,
    maxWaitMs,
    minBytes,
    maxBytes,
    isolation === 'read_committed' ? 1 : 0,
    noSession.id,
    noSession.epoch,
    topicsOf(request.partitions),
    [],
    request.rackId,
  )
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, null, { api: 'Fetch', broker: broker.id })
  return answer
}

/** The broker spends `maxBytes` in the order of the request, and answers a topic only where it comes first. */
function topicsOf(partitions: readonly FetchPartition[]): FetchArguments[6] {
  return Array.from(
    groupBy(partitions, (partition) => partition.topicId),
    ([topicId, ofTopic]) => ({
      topicId,
      partitions: ofTopic.map((partition) => ({
        partition: partition.partition,
        currentLeaderEpoch: partition.currentLeaderEpoch,
        fetchOffset: BigInt(partition.fetchOffset),
        lastFetchedEpoch: partition.lastFetchedEpoch,
        partitionMaxBytes: partition.maxBytes,
      })),
    }),
  )
}

function readAnswer(answer: ChunkReader): Answer {
  const throttleMs = answer.int32()
  const errorCode = answer.int16()
  answer.skip(4)
  const partitions: FetchedPartition[] = []
  answer.array(() => {
    const topicId = answer.uuid()
    answer.array(() => partitions.push(readPartition(answer, topicId)))
    answer.taggedFields()
  })
  return { throttleMs, errorCode, partitions }
}

function readPartition(answer: ChunkReader, topicId: string): FetchedPartition {
  const partition = answer.int32()
  const errorCode = answer.int16()
  const highWatermark = answer.int64()
  const lastStableOffset = answer.int64()
  const logStartOffset = answer.int64()
  const aborted = answer.array(() => {
    const transaction = { producerId: answer.bigInt64(), firstOffset: answer.int64() }
    answer.taggedFields()
    return transaction
  })
  const preferredReplica = answer.int32()
  const length = answer.unsignedVarint() - 1
  const records = length > 0 ? answer.bytes(length) : null
  let diverging: FetchedPartition['diverging']
  let leaderHint: LeaderHint | undefined
  answer.taggedFields({
    0: () => {
      diverging = { epoch: answer.int32(), endOffset: answer.int64() }
      answer.taggedFields()
    },
    1: () => {
      leaderHint = { leader: answer.int32(), leaderEpoch: answer.int32() }
      answer.taggedFields()
    },
  })
  return {
    topicId,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    aborted,
    leaderHint: leaderHint && leaderHint.leader >= 0 ? leaderHint : undefined,
    preferredReplica,
    diverging: diverging && diverging.epoch >= 0 ? diverging : undefined,
    records,
  }
}
