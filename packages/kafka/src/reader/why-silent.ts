import type { Cluster } from '../cluster/cluster.ts'
import type { ReadPartition } from './read-partition.ts'

/** Why nothing arrives of a partition where nothing has failed: its leader is silent, or it has none. */
export function whySilent(cluster: Cluster, waiting: ReadPartition | undefined): Error | undefined {
  if (waiting === undefined) return undefined
  const leader = cluster.leader(waiting.topicName, waiting.partition)
  return new Error(leader ? `its leader ${leader.host}:${leader.port} does not answer` : 'it has no leader')
}
