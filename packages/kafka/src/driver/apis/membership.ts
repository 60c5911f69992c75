import { answeredBy, readThrottleMs } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import type { BrokerNode, HeartbeatRequest, HeartbeatResponse, TopicPartitions } from '../driver.ts'

const heartbeatApi = answeredBy(68, 1, 'consumerGroupHeartbeatV1', readAnswer)

/** The heartbeat of KIP-848: joins, stays, acknowledges assignments and leaves. */
export async function heartbeat(
  connections: Connections,
  coordinator: BrokerNode,
  request: HeartbeatRequest,
): Promise<HeartbeatResponse> {
  const answer = await connections.request(
    'coordinator',
    coordinator,
    'ConsumerGroupHeartbeat',
    heartbeatApi,
    request.group,
    request.memberId,
    request.memberEpoch,
    request.instanceId,
    request.rackId,
    request.rebalanceTimeoutMs,
    request.topics && [...request.topics],
    null,
    request.assignor,
    request.owned && request.owned.map(copyOf),
  )
  const { errorCode, errorMessage, memberId, ...state } = answer
  if (errorCode !== 0) throw brokerError(errorCode, errorMessage, { group: request.group })
  return { ...state, memberId: memberId ?? request.memberId }
}

function readAnswer(answer: ChunkReader) {
  return {
    throttleMs: readThrottleMs(answer),
    errorCode: answer.int16(),
    errorMessage: answer.string(),
    memberId: answer.string(),
    memberEpoch: answer.int32(),
    heartbeatIntervalMs: answer.int32(),
    assignment: readAssignment(answer),
  }
}

/** A nullable structure begins with a byte that says whether it is there. */
function readAssignment(answer: ChunkReader): readonly TopicPartitions[] | null {
  if (answer.int8() < 0) return null
  return answer.array(() => {
    const owned = { topicId: answer.uuid(), partitions: answer.array(() => answer.int32()) }
    answer.taggedFields()
    return owned
  })
}

function copyOf({ topicId, partitions }: TopicPartitions): { topicId: string; partitions: number[] } {
  return { topicId, partitions: [...partitions] }
}
