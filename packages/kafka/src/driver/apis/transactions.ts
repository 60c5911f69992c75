import { answeredBy } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import type { Address } from '../connect-options.ts'
import type {
  BrokerNode,
  EndTransactionRequest,
  PartitionKey,
  PartitionResult,
  ProducerIdentity,
  TransactionalIdentity,
  TransactionOffsetsRequest,
} from '../driver.ts'
import { perTopic, readResults } from './by-topic.ts'
import { commitTopics } from './offsets.ts'
import { apiVersionsApi } from './versions.ts'

// Later versions of AddPartitionsToTxn are for brokers among themselves.
const addPartitionsApi = answeredBy(24, 3, 'addPartitionsToTxnV3', readResults)
const addOffsetsApi = answeredBy(25, 3, 'addOffsetsToTxnV3', readErrorCode)
// With version 5 an offset commit adds its group to the transaction by itself, and the end tells the next epoch.
const commitOffsetsApi = answeredBy(28, 5, 'txnOffsetCommitV4', readResults)
const commitOffsetsApi1 = answeredBy(28, 3, 'txnOffsetCommitV3', readResults)
const endApi = answeredBy(26, 5, 'endTxnV4', (answer) => {
  const errorCode = readErrorCode(answer)
  return { errorCode, identity: { producerId: answer.bigInt64(), epoch: answer.int16() } }
})
const endApi1 = answeredBy(26, 4, 'endTxnV4', readErrorCode)

/** The level of the cluster's feature `transaction.version`: 2 where partitions are added implicitly (KIP-890), else 1. */
export async function transactionVersion(connections: Connections, from: Address): Promise<1 | 2> {
  const { errorCode, features } = await connections.request('control', from, 'ApiVersions', apiVersionsApi)
  if (errorCode !== 0) throw brokerError(errorCode, null, { api: 'ApiVersions' })
  return (features.get('transaction.version') ?? 0) >= 2 ? 2 : 1
}

export function addPartitionsToTransaction(
  connections: Connections,
  coordinator: BrokerNode,
  { transactionalId, producerId, epoch }: TransactionalIdentity,
  partitions: readonly PartitionKey[],
): Promise<readonly PartitionResult[]> {
  const topics = perTopic(partitions, ({ partition }) => partition)
  const request = { transactionalId, producerId, producerEpoch: epoch, verifyOnly: false, topics }
  return connections.request('coordinator', coordinator, 'AddPartitionsToTxn', addPartitionsApi, [request])
}

export async function addOffsetsToTransaction(
  connections: Connections,
  coordinator: BrokerNode,
  { transactionalId, producerId, epoch }: TransactionalIdentity,
  group: string,
): Promise<void> {
  const code = await connections.request(
    'coordinator',
    coordinator,
    'AddOffsetsToTxn',
    addOffsetsApi,
    transactionalId,
    producerId,
    epoch,
    group,
  )
  if (code !== 0) throw brokerError(code, null, { api: 'AddOffsetsToTxn', transactionalId })
}

export function commitTransactionOffsets(
  connections: Connections,
  coordinator: BrokerNode,
  { version, transactional, group, memberId, memberEpoch, instanceId, offsets }: TransactionOffsetsRequest,
): Promise<readonly PartitionResult[]> {
  return connections.request(
    'coordinator',
    coordinator,
    'TxnOffsetCommit',
    version === 2 ? commitOffsetsApi : commitOffsetsApi1,
    transactional.transactionalId,
    group,
    transactional.producerId,
    transactional.epoch,
    memberEpoch,
    memberId,
    instanceId,
    commitTopics(offsets),
  )
}

/** Resolves with the identity of the next transaction. */
export async function endTransaction(
  connections: Connections,
  coordinator: BrokerNode,
  { version, transactional, commit }: EndTransactionRequest,
): Promise<ProducerIdentity> {
  const { transactionalId, producerId, epoch } = transactional
  const args = [transactionalId, producerId, epoch, commit] as const
  const { errorCode, identity } =
    version === 2
      ? await connections.request('coordinator', coordinator, 'EndTxn', endApi, ...args)
      : {
          errorCode: await connections.request('coordinator', coordinator, 'EndTxn', endApi1, ...args),
          identity: { producerId, epoch },
        }
  if (errorCode !== 0) throw brokerError(errorCode, null, { api: 'EndTxn', transactionalId })
  return identity
}

function readErrorCode(answer: ChunkReader): number {
  answer.skip(4)
  return answer.int16()
}
