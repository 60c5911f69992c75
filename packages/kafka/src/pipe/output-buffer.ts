import type { Output } from '../outgoing/output.ts'
import type { Intake } from '../consumer/intake/intake.ts'
import type { AssignedPartition } from '../consumer/partition.ts'

/** What came of one record, or the last of its failure. */
export interface FinishedOutput {
  readonly partition: AssignedPartition
  /** Where the offsets begin that were finished with it. */
  readonly start: number
  /** How many were finished before, of all partitions. */
  readonly ordinal: number
  /** Replaced where a topic has refused one of them. */
  outputs: readonly Output[]
  bytes: number
  /** Its record comes again, or is somebody else's: it is not to be written. */
  isVoid: boolean
}

/**
 * What came of finished records and is not committed. It counts in the consumer's budget until it is: for the partition
 * that it came of, which fetches nothing more when it has no room.
 */
export class OutputBuffer {
  readonly #intake: Intake
  readonly #waiting = new Map<AssignedPartition, FinishedOutput[]>()
  readonly #taken = new Set<FinishedOutput>()
  /** Those that nothing can be committed of for now. */
  #aside: ReadonlySet<AssignedPartition> = new Set()
  #finished = 0
  /** What waits to be taken, but of what is set aside. */
  #records = 0
  #bytes = 0

  constructor(intake: Intake) {
    this.#intake = intake
  }

  get records(): number {
    return this.#records
  }

  get bytes(): number {
    return this.#bytes
  }

  add(partition: AssignedPartition, start: number, outputs: readonly Output[]): void {
    const bytes = bytesOf(outputs)
    const item = { partition, start, ordinal: this.#finished++, outputs, bytes, isVoid: false }
    this.#put(item)
    this.#intake.hold(partition, bytes, outputs.length)
  }

  /** All there is of these partitions, in the order in which it came. */
  take(partitions: Iterable<AssignedPartition>): readonly FinishedOutput[] {
    const taken: FinishedOutput[] = []
    for (const partition of partitions) {
      for (const item of this.#remove(partition)) taken.push(item)
    }
    taken.sort((a, b) => a.ordinal - b.ordinal)
    for (const item of taken) this.#taken.add(item)
    return taken
  }

  /** No commit is to come of these for now, but of all others. */
  setAside(partitions: ReadonlySet<AssignedPartition>): void {
    if (partitions.size === 0 && this.#aside.size === 0) return
    this.#aside = partitions
    this.#records = 0
    this.#bytes = 0
    for (const items of this.#waiting.values()) for (const item of items) this.#count(item, 1)
  }

  /** It is committed. */
  settle(taken: readonly FinishedOutput[]): void {
    for (const item of taken) {
      this.#taken.delete(item)
      if (!item.isVoid) this.#release(item)
    }
  }

  /** It is not committed, and is taken again before what came since. */
  putBack(taken: readonly FinishedOutput[]): void {
    for (const item of taken) {
      this.#taken.delete(item)
      if (item.isVoid) unmarkRetries(item)
      else this.#put(item)
    }
  }

  /** Something else came of its record, which waits: one of its outputs was refused. */
  replace(item: FinishedOutput, outputs: readonly Output[]): void {
    if (item.isVoid || this.#waiting.get(item.partition)?.includes(item) !== true) return
    this.#count(item, -1)
    this.#release(item)
    item.outputs = outputs
    item.bytes = bytesOf(outputs)
    this.#count(item, 1)
    this.#intake.hold(item.partition, item.bytes, outputs.length)
  }

  /** What came of offsets from here on is void; all else is charged anew. */
  rewind(partition: AssignedPartition, from: number): void {
    const waiting = this.#remove(partition)
    const taken = [...this.#taken].filter((item) => item.partition === partition)
    for (const item of [...waiting, ...taken]) {
      item.isVoid ||= item.start >= from
      if (!item.isVoid) this.#intake.hold(partition, item.bytes, item.outputs.length)
    }
    for (const item of waiting) {
      if (item.isVoid) unmarkRetries(item)
      else this.#put(item)
    }
  }

  /** Nothing of the partition is to be written any more. */
  drop(partition: AssignedPartition): void {
    this.#remove(partition)
    for (const item of this.#taken) if (item.partition === partition) item.isVoid = true
  }

  #put(item: FinishedOutput): void {
    const items = this.#waiting.get(item.partition)
    if (items === undefined) this.#waiting.set(item.partition, [item])
    else items.push(item)
    this.#count(item, 1)
  }

  #remove(partition: AssignedPartition): readonly FinishedOutput[] {
    const items = this.#waiting.get(partition)
    if (items === undefined) return []
    this.#waiting.delete(partition)
    for (const item of items) this.#count(item, -1)
    return items
  }

  #count({ partition, outputs, bytes }: FinishedOutput, sign: 1 | -1): void {
    if (this.#aside.has(partition)) return
    this.#records += sign * outputs.length
    this.#bytes += sign * bytes
  }

  #release({ partition, bytes, outputs }: FinishedOutput): void {
    this.#intake.release(partition, bytes, outputs.length)
  }
}

function bytesOf(outputs: readonly Output[]): number {
  let bytes = 0
  for (const { record } of outputs) bytes += record.bytes
  return bytes
}

/** What does not get to the retry topic keeps no later record of its key behind it. */
function unmarkRetries({ partition: { retries }, outputs }: FinishedOutput): void {
  if (retries === undefined) return
  for (const { topic, record } of outputs) if (topic === retries.partition.topicName) retries.remove(record.key)
}
