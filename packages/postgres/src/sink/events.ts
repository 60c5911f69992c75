import type { OffsetPlace, PartitionPlace } from '@sluice/kafka'

/** What a sink tells while it runs. None of these stops it; what does, `ended` rejects with. */
export type SinkEvents = {
  /** Records of a partition were committed, their effects with them. `next` is where it goes on. */
  committed: PartitionPlace & { readonly records: number; readonly next: number }
  /** A batch failed and is tried again, as long as it takes, or (`fault: 'record'`) to find the record that fails. */
  retrying: PartitionPlace & {
    readonly fault: 'transient' | 'record'
    readonly attempt: number
    readonly retryInMs: number
    readonly error: unknown
  }
  /** A record that fails for good lies in the outbox, on its way to its dead letter topic. */
  deadLettered: OffsetPlace & { readonly attempts: number; readonly error: unknown }
  /** A COMMIT was not answered, and it is certain now what has become of it. */
  settled: PartitionPlace & { readonly next: number; readonly committed: boolean }
  /** Somebody else had taken the partition's row. `kept`: it was ours, and was taken back. */
  fenced: PartitionPlace & { readonly kept: boolean }
}
