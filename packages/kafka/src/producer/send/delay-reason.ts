import { messageOf } from '@sluice/flow/internal'
import { classify, errorCode } from '../../driver/classify.ts'
import { BrokerError } from '../../errors.ts'
import type { BrokerSender } from './broker-sender.ts'
import type { PartitionQueue } from '../queue/partition-queue.ts'
import type { ProducerCluster } from '../producer-cluster.ts'

export interface DelayParts {
  readonly cluster: Pick<ProducerCluster, 'topic' | 'leader'>
  readonly broker: (id: number) => BrokerSender | undefined
  /** Why the metadata could not be refreshed when that was tried last. */
  readonly metadataError: () => Error | undefined
}

/** Why a partition's records are not acknowledged yet, as far as is known: for the error of those that are given up. */
export function delayReason(queue: PartitionQueue, parts: DelayParts): Error | undefined {
  const leader = parts.cluster.leader(queue.topic, queue.partition)
  if (!leader) return leaderlessError(queue, parts)
  return queue.head?.lastError ?? parts.broker(leader.id)?.delayOf(queue)
}

/** Says so, with the error of the metadata where it could not be refreshed, else of the last attempt. */
function leaderlessError({ topic, partition, head }: PartitionQueue, { cluster, metadataError }: DelayParts): Error {
  const known = cluster.topic(topic)?.partitions[partition]?.errorCode || errorCode('LEADER_NOT_AVAILABLE')
  const { name, code, retriable } = classify(known)
  const failed = metadataError()
  const why = failed ? `, and the metadata could not be refreshed: ${messageOf(failed)}` : ''
  const message = `${name} (topic ${topic}, partition ${partition}): the partition has no leader${why}`
  return new BrokerError(name, code, message, {
    retriable,
    cause: failed ?? head?.lastError,
    facts: { topic, partition },
  })
}
