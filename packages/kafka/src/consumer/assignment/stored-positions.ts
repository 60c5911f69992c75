import type { AssignedPartition } from '../partition.ts'
import type { Membership } from '../group/membership.ts'
import type { PositionStore, Ownership, StoredPartition } from '../position-store.ts'

/** How long a confirmation waits for its heartbeat. */
const CONFIRM_MS = 5_000

/** The partitions that a store was told of. */
export class StoredPositions {
  readonly #store: PositionStore
  readonly #membership: Membership
  readonly #held = new Map<AssignedPartition, StoredPartition>()

  constructor(store: PositionStore, membership: Membership) {
    this.#store = store
    this.#membership = membership
  }

  async positions(partitions: readonly AssignedPartition[]): Promise<ReadonlyArray<number | null>> {
    return await this.#store.assigned(partitions.map((partition) => this.#hold(partition)))
  }

  released(partition: AssignedPartition): void {
    const held = this.#held.get(partition)
    if (held !== undefined && this.#held.delete(partition)) this.#store.released(held)
  }

  #hold(partition: AssignedPartition): StoredPartition {
    const known = this.#held.get(partition)
    if (known !== undefined) return known
    const { topicName: topic, topicId, partition: number } = partition
    const confirm = async (): Promise<Ownership> => {
      const isAnswered = await this.#membership.refreshed(CONFIRM_MS)
      if (!partition.isLive) return 'gone'
      return isAnswered && this.#membership.isAlive ? 'mine' : 'unknown'
    }
    const held = Object.freeze({ topic, topicId, partition: number, confirm })
    this.#held.set(partition, held)
    return held
  }
}
