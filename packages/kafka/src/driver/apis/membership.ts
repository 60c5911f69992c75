import { consumerGroupHeartbeatV1 } from '@platformatic/kafka'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import type { BrokerNode, HeartbeatRequest, HeartbeatResponse, TopicPartitions } from '../driver.ts'

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
    consumerGroupHeartbeatV1.api,
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
  if (answer.errorCode !== 0) {
    throw brokerError(answer.errorCode, answer.errorMessage ?? null, { group: request.group })
  }
  return {
    throttleMs: answer.throttleTimeMs,
    memberId: answer.memberId ?? request.memberId,
    memberEpoch: answer.memberEpoch,
    heartbeatIntervalMs: answer.heartbeatIntervalMs,
    assignment: answer.assignment?.topicPartitions ?? null,
  }
}

function copyOf({ topicId, partitions }: TopicPartitions): { topicId: string; partitions: number[] } {
  return { topicId, partitions: [...partitions] }
}
