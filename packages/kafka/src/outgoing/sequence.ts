import type { BatchIdentity } from '../batch/batch.ts'
import type { ProducerIdentity } from '../driver/driver.ts'

/** The largest epoch that fits its field; one more needs a new producer id. */
export const maxEpoch = 32_767

/**
 * The sequence numbers of one partition (KIP-98). A broker keeps producer id, epoch and sequence for each partition by
 * itself, so a partition whose batch was given up moves to the next epoch alone, and the others are not disturbed.
 */
export class PartitionSequence {
  readonly #first: ProducerIdentity
  #identity: ProducerIdentity
  #next = 0
  #isUsedUp = false

  constructor(identity: ProducerIdentity) {
    this.#first = identity
    this.#identity = identity
  }

  /** Nothing was written under it: another one would do as well. */
  get isUnused(): boolean {
    return this.#next === 0 && !this.#isUsedUp && this.#identity === this.#first
  }

  get identity(): ProducerIdentity {
    return this.#identity
  }

  /** The identity of the next batch, of so many records. */
  take(records: number): BatchIdentity {
    const { producerId, epoch } = this.#identity
    const baseSequence = this.#next
    this.#next = sequenceAfter(baseSequence, records)
    return { producerId, epoch, baseSequence, transactional: false }
  }

  /** A batch that was certainly refused has used up no sequence numbers: the next one gets its. */
  giveBack(refused: BatchIdentity): void {
    this.#next = refused.baseSequence
  }

  /**
   * Nobody knows whether the last batch is in the log: from now on the partition writes under the next epoch, and the
   * broker refuses that batch should it arrive late. (Under a new producer id it would be let in behind its successors:
   * that is left for when the epochs are used up.)
   */
  bumpEpoch(): void {
    const { producerId, epoch } = this.#identity
    if (epoch >= maxEpoch) this.#isUsedUp = true
    else this.renew({ producerId, epoch: epoch + 1 })
  }

  /** There is no next epoch: nothing can be sent before `renew` brings a new producer id. */
  get isUsedUp(): boolean {
    return this.#isUsedUp
  }

  /** The producer id is of no use here any more: nothing is sent before `renew` brings another. */
  retire(): void {
    this.#isUsedUp = true
  }

  renew(identity: ProducerIdentity): void {
    this.#identity = identity
    this.#next = 0
    this.#isUsedUp = false
  }
}

/** Sequence numbers go from 0 to 2^31 - 1 and begin again. */
export function sequenceAfter(sequence: number, records: number): number {
  return (sequence + records) & 0x7fffffff
}
