import { answeredBy, answeredUnread, readUnread } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import type { Address } from '../connect-options.ts'
import type { BrokerNode, ClusterMetadata, CoordinatorKind, PartitionMetadata, TopicMetadata } from '../driver.ts'

interface FoundCoordinator {
  readonly node: BrokerNode
  readonly errorCode: number
  readonly errorMessage: string | null
}

const metadataApi = answeredUnread(3, 12, 'metadataV12')
const findCoordinatorApi = answeredBy(10, 6, 'findCoordinatorV6', readCoordinators)

/** Never creates a topic. An answer of thousands of topics is read in slices. */
export async function metadata(
  connections: Connections,
  from: Address,
  topics: readonly string[] | null,
): Promise<ClusterMetadata> {
  const names = topics && [...topics]
  const answer = await connections.request('control', from, 'Metadata', metadataApi, names, false, false)
  return await readUnread(answer, { address: `${from.host}:${from.port}`, api: 'Metadata' }, readMetadata)
}

export async function findCoordinator(
  connections: Connections,
  from: Address,
  kind: CoordinatorKind,
  key: string,
): Promise<BrokerNode> {
  const type = kind === 'group' ? 0 : 1
  const [found] = await connections.request('control', from, 'FindCoordinator', findCoordinatorApi, type, [key])
  if (!found) throw brokerError(-1, 'the answer names no coordinator', { [kind]: key })
  if (found.errorCode !== 0) throw brokerError(found.errorCode, found.errorMessage, { [kind]: key })
  return found.node
}

async function readMetadata(answer: ChunkReader): Promise<ClusterMetadata> {
  answer.skip(4)
  const brokers = answer.array(() => {
    const broker = { id: answer.int32(), host: answer.string() ?? '', port: answer.int32() }
    answer.string()
    answer.taggedFields()
    return broker
  })
  const clusterId = answer.string()
  const controllerId = answer.int32()
  const topics = await answer.longArray(() => readTopic(answer))
  return { clusterId, controllerId, brokers, topics }
}

function readTopic(answer: ChunkReader): TopicMetadata {
  const errorCode = answer.int16()
  const name = answer.string() ?? ''
  const id = answer.uuid()
  const internal = answer.int8() !== 0
  const partitions = answer.array(() => readPartition(answer)).sort((a, b) => a.partition - b.partition)
  answer.skip(4)
  answer.taggedFields()
  return { name, id, errorCode, internal, partitions }
}

function readPartition(answer: ChunkReader): PartitionMetadata {
  const errorCode = answer.int16()
  const partition = answer.int32()
  const leader = answer.int32()
  const leaderEpoch = answer.int32()
  const replicas = answer.array(() => answer.int32())
  const inSync = answer.array(() => answer.int32())
  answer.array(() => answer.int32())
  answer.taggedFields()
  return { partition, errorCode, leader, leaderEpoch, replicas, inSync }
}

function readCoordinators(answer: ChunkReader): readonly FoundCoordinator[] {
  answer.skip(4)
  return answer.array(() => {
    answer.string()
    const node = { id: answer.int32(), host: answer.string() ?? '', port: answer.int32() }
    const found = { node, errorCode: answer.int16(), errorMessage: answer.string() }
    answer.taggedFields()
    return found
  })
}
