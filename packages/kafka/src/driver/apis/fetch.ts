import { answeredBy, readThrottleMs } from '../answer.ts'
import type { Connections } from '../connections.ts'
import { brokerError } from '../classify.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import type { BrokerNode, FetchedPartition, FetchRequest, FetchResponse, LeaderHint } from '../driver.ts'
import { writeFetch } from './fetch-request.ts'

interface Answer extends FetchResponse {
  readonly errorCode: number
}

const api = answeredBy(1, 17, writeFetch, readAnswer)

export async function fetch(
  connections: Connections,
  broker: BrokerNode,
  request: FetchRequest,
): Promise<FetchResponse> {
  connections.expectFetch(request.maxBytes)
  const answer = await connections.request('fetch', broker, 'Fetch', api, request)
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, null, { api: 'Fetch', broker: broker.id })
  return answer
}

function readAnswer(answer: ChunkReader): Answer {
  const throttleMs = readThrottleMs(answer)
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
