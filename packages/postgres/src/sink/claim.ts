import type { StoredPartition } from '@sluice/kafka'

/** One assignment of a partition to this sink: its row is ours until somebody else adds to its epoch. */
export class Claim {
  readonly held: StoredPartition
  epoch = -1
  /** The next offset, as it was written last; null: none yet, the first batch says it. */
  next: number | null = null

  constructor(held: StoredPartition) {
    this.held = held
  }

  get place(): { readonly topic: string; readonly partition: number } {
    return { topic: this.held.topic, partition: this.held.partition }
  }
}
