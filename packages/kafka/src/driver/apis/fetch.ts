import { createAPI, fetchV17, type Reader } from '@platformatic/kafka'
import type { Connections } from '../connections.ts'
import { brokerError } from '../classify.ts'
import { ChunkReader } from '../chunk-reader.ts'
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

// The library's own parser decodes all records at once, in time that grows faster than the answer.
const api = createAPI<FetchArguments, Answer>(1, 17, fetchV17.createRequest, (_id, _key, _version, reader) =>
  readAnswer(reader),
)

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
    '',
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

function readAnswer(reader: Reader): Answer {
  const chunks = new ChunkReader(reader.buffer.buffers)
  const throttleMs = chunks.int32()
  const errorCode = chunks.int16()
  chunks.skip(4)
  const partitions: FetchedPartition[] = []
  chunks.array(() => {
    const topicId = chunks.uuid()
    chunks.array(() => partitions.push(readPartition(chunks, topicId)))
    chunks.taggedFields()
  })
  chunks.taggedFields()
  return { throttleMs, errorCode, partitions }
}

function readPartition(chunks: ChunkReader, topicId: string): FetchedPartition {
  const partition = chunks.int32()
  const errorCode = chunks.int16()
  const highWatermark = chunks.int64()
  const lastStableOffset = chunks.int64()
  const logStartOffset = chunks.int64()
  const aborted = chunks.array(() => {
    const transaction = { producerId: chunks.bigInt64(), firstOffset: chunks.int64() }
    chunks.taggedFields()
    return transaction
  })
  chunks.skip(4)
  const length = chunks.unsignedVarint() - 1
  const records = length > 0 ? chunks.bytes(length) : null
  let diverging: FetchedPartition['diverging']
  let leaderHint: LeaderHint | undefined
  chunks.taggedFields({
    0: () => {
      diverging = { epoch: chunks.int32(), endOffset: chunks.int64() }
      chunks.taggedFields()
    },
    1: () => {
      leaderHint = { leader: chunks.int32(), leaderEpoch: chunks.int32() }
      chunks.taggedFields()
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
    diverging: diverging && diverging.epoch >= 0 ? diverging : undefined,
    records,
  }
}
