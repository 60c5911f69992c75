import type { BrokerNode, PartitionKey, PartitionResult } from './driver.ts'

/** What a tool asks about transactions, and how it ends one that its producer has left behind. */
export interface TransactionsAdmin {
  /** The transactions that this broker coordinates. */
  listTransactions(coordinator: BrokerNode, filter: TransactionFilter): Promise<readonly ListedTransaction[]>
  describeTransactions(
    coordinator: BrokerNode,
    transactionalIds: readonly string[],
  ): Promise<readonly DescribedTransaction[]>
  /** The producers that partitions remember which this broker leads. */
  describeProducers(leader: BrokerNode, places: readonly PartitionKey[]): Promise<readonly PartitionProducers[]>
  /**
   * Ends a transaction in a partition that this broker leads, without a word to its coordinator: for one that no
   * coordinator knows.
   */
  writeAbortMarker(leader: BrokerNode, marker: AbortMarker): Promise<PartitionResult>
}

export interface TransactionFilter {
  /** As Kafka names them, such as `Ongoing`; empty: all. */
  readonly states: readonly string[]
  /** Only those that began at least so long ago; -1: all. */
  readonly minAgeMs: number
}

export interface ListedTransaction {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly state: string
}

export interface DescribedTransaction extends ListedTransaction {
  readonly errorCode: number
  readonly epoch: number
  readonly timeoutMs: number
  /** -1: it has not begun. */
  readonly startTimeMs: number
  readonly partitions: readonly PartitionKey[]
}

export interface PartitionProducers extends PartitionResult {
  readonly errorMessage: string | null
  readonly producers: readonly PartitionProducer[]
}

export interface PartitionProducer {
  readonly producerId: bigint
  readonly epoch: number
  /** Of the last record that it wrote. */
  readonly lastTimestampMs: number
  /** Of the coordinator that wrote its last marker; -1: none did yet. */
  readonly coordinatorEpoch: number
  /** Of the first record of its open transaction; -1: none is open. */
  readonly transactionStartOffset: number
}

export interface AbortMarker extends PartitionKey {
  readonly producerId: bigint
  readonly epoch: number
  readonly coordinatorEpoch: number
}
