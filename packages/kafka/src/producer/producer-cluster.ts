import type { Log } from '../log/log.ts'
import type { BrokerNode, Driver, LeaderHint, TopicMetadata } from '../driver/driver.ts'

/** What a producer needs from the cluster: a part of `Cluster`. */
export interface ProducerCluster {
  readonly log: Log
  readonly driver: Pick<Driver, 'produce' | 'initProducerId'>
  /** Null: not known. */
  readonly clusterId: string | null
  /** Calls back when the addresses lead to another cluster; returns the function that ends that. */
  onReplaced(listener: () => void): () => void
  /** Calls back with the topics that were not used for long; returns the function that ends that. */
  onForgotten(listener: (topics: readonly string[]) => void): () => void
  anyBroker(): Promise<BrokerNode>
  topic(name: string): TopicMetadata | undefined
  leader(topic: string, partition: number): BrokerNode | undefined
  noteLeader(topic: string, partition: number, hint: LeaderHint): void
  refresh(topics: readonly string[]): Promise<void>
}
