/** `gone`: given back, or about to be. `unknown`: the group did not answer. */
export type Ownership = 'mine' | 'gone' | 'unknown'

/** One assignment of a partition, as whoever keeps its position sees it. */
export interface StoredPartition {
  readonly topic: string
  /** Of this very topic: one that was deleted and created again has another. */
  readonly topicId: string
  readonly partition: number
  /** Whose the partition is, by a heartbeat that is sent now. */
  confirm(): Promise<Ownership>
}

/**
 * Keeps positions outside of Kafka, together with the effects of a handler, so that both change at once. The group's
 * commits go on beside it, for tools that show lag. A position that is not in the log any more stops the consumer with
 * an OffsetOutsideLogError, whatever the reset policy says.
 */
export interface PositionStore {
  /**
   * Partitions were assigned. Resolves with their next offsets in the same order; null: none is kept, so that the
   * group's commit counts, or else the reset policy. Where it rejects with an error that is `retriable` it is called
   * again; any other error stops the consumer.
   */
  assigned(partitions: readonly StoredPartition[]): Promise<ReadonlyArray<number | null>>
  /** It is taken away, or the consumer was closed; handlers that were given up may still run. The same object as above. */
  released(partition: StoredPartition): void
}
