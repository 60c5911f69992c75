import { answeredBy, readThrottleMs } from '../answer.ts'
import type { Connections } from '../connections.ts'
import { brokerError } from '../classify.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import type {
  AbortedTransaction,
  BrokerNode,
  FetchedPartition,
  FetchRequest,
  FetchResponse,
  LeaderHint,
} from '../driver.ts'
import { writeFetch } from './fetch-request.ts'

interface Answer extends FetchResponse {
  readonly errorCode: number
  /** Where it was read from: its records were copied, each partition's by themselves. */
  readonly read: ChunkReader
}

const api = answeredBy(1, 17, writeFetch, readAnswer)

export async function fetch(
  connections: Connections,
  broker: BrokerNode,
  request: FetchRequest,
): Promise<FetchResponse> {
  connections.expectFetch(request.maxBytes)
  const answer = await connections.request('fetch', broker, 'Fetch', api, request)
  // As much as the records themselves, which the garbage collector would leave beside them for long.
  answer.read.free()
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
    answer.array(() => partitions.push(new PartitionAnswer(answer, topicId)))
    answer.taggedFields()
  })
  return { throttleMs, errorCode, partitions, read: answer }
}

/**
 * What there is of one partition, in the order of the answer. A class, because V8 moves object literals to the old
 * generation once many of them have survived (allocation site pretenuring), where each would keep its records in memory
 * until a full collection: reading 1,000 partitions took half as much CPU again.
 */
class PartitionAnswer implements FetchedPartition {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly aborted: readonly AbortedTransaction[]
  readonly preferredReplica: number
  readonly records: Buffer | null
  diverging: FetchedPartition['diverging']
  leaderHint: LeaderHint | undefined

  constructor(answer: ChunkReader, topicId: string) {
    this.topicId = topicId
    this.partition = answer.int32()
    this.errorCode = answer.int16()
    this.highWatermark = answer.int64()
    this.lastStableOffset = answer.int64()
    this.logStartOffset = answer.int64()
    this.aborted = answer.array(() => readAborted(answer))
    this.preferredReplica = answer.int32()
    const length = answer.unsignedVarint() - 1
    this.records = length > 0 ? answer.bytes(length) : null
    answer.taggedFields({
      0: () => (this.diverging = readDiverging(answer)),
      1: () => (this.leaderHint = readLeaderHint(answer)),
    })
  }
}

function readAborted(answer: ChunkReader): AbortedTransaction {
  const transaction = { producerId: answer.bigInt64(), firstOffset: answer.int64() }
  answer.taggedFields()
  return transaction
}

/** An epoch of -1 says that there is none. */
function readDiverging(answer: ChunkReader): FetchedPartition['diverging'] {
  const diverging = { epoch: answer.int32(), endOffset: answer.int64() }
  answer.taggedFields()
  return diverging.epoch >= 0 ? diverging : undefined
}

/** A leader of -1 is none. */
function readLeaderHint(answer: ChunkReader): LeaderHint | undefined {
  const hint = { leader: answer.int32(), leaderEpoch: answer.int32() }
  answer.taggedFields()
  return hint.leader >= 0 ? hint : undefined
}
