import type { PositionStore, StoredPartition } from '@sluice/kafka'
import { faultOf } from '../sql/fault.ts'
import { PostgresUnavailableError } from '../errors.ts'
import type { Offsets } from './offsets.ts'
import { Claim } from './claim.ts'

/** A partition that a sink has claimed in the table of offsets. */
export interface ClaimState {
  readonly topic: string
  readonly partition: number
  /** Grows with each claim of the partition: an earlier owner's transaction is refused by it. */
  readonly epoch: number
  /** The next offset to handle; null where the table has none yet. */
  readonly next: number | null
}

/** Tells the consumer where its partitions begin, by the rows of the table of offsets. */
export class Claims implements PositionStore {
  readonly #offsets: Offsets
  readonly #claims = new Map<string, Claim>()
  readonly #released = new WeakSet<StoredPartition>()

  constructor(offsets: Offsets) {
    this.#offsets = offsets
  }

  async assigned(partitions: readonly StoredPartition[]): Promise<ReadonlyArray<number | null>> {
    const claims = partitions.map((held) => new Claim(held))
    try {
      await this.#offsets.take(claims)
    } catch (error) {
      throw faultOf(error) === 'transient' ? new PostgresUnavailableError(error) : error
    }
    for (const claim of claims) {
      // It may have waited for a frozen owner for so long that the partition has gone, and even come again, meanwhile.
      if (!this.#released.has(claim.held)) this.#claims.set(keyOf(claim.held), claim)
    }
    return claims.map(({ next }) => next)
  }

  released(held: StoredPartition): void {
    this.#released.add(held)
    if (this.#claims.get(keyOf(held))?.held === held) this.#claims.delete(keyOf(held))
  }

  /** The present one. Undefined: the partition is gone. */
  of(topic: string, partition: number): Claim | undefined {
    return this.#claims.get(keyOf({ topic, partition }))
  }

  inspect(): readonly ClaimState[] {
    return Array.from(this.#claims.values(), ({ place, epoch, next }) => ({ ...place, epoch, next }))
  }
}

const keyOf = ({ topic, partition }: { topic: string; partition: number }): string => `${topic}/${partition}`
