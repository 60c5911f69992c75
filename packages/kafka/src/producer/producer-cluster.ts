import type { BrokerNode, Driver, LeaderHint, TopicMetadata } from '../driver/driver.ts'

/** What a producer needs from the cluster: a part of `Cluster`. */
export interface ProducerCluster {
  readonly driver: Pick<Driver, 'produce' | 'initProducerId'>
  anyBroker(): Promise<BrokerNode>
  topic(name: string): TopicMetadata | undefined
  leader(topic: string, partition: number): BrokerNode | undefined
  noteLeader(topic: string, partition: number, hint: LeaderHint): void
  refresh(topics: readonly string[]): Promise<void>
}
