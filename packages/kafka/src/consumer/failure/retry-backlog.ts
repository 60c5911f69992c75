import { keyName } from '../dispatch/key-name.ts'
import type { AssignedPartition } from '../partition.ts'

/** With more keys than this that wait, nothing more is taken of the partition they are from. */
const maxKeys = 10_000

/**
 * What of one partition waits in the retry topic. With order by key later records of such a key go behind it, so that
 * their order is kept; what was written there before a crash and not committed is not written a second time.
 */
export class RetryBacklog {
  /** Where they wait: read and committed by whoever owns the partition they are from. */
  readonly partition: AssignedPartition
  /** By key: how many are not finished. */
  readonly #keys = new Map<string, number>()
  /** Offsets that were found to be there already when the partition was begun. */
  readonly #kept = new Set<number>()
  /** What lies there below this offset has been looked through, and counted. */
  #scannedTo = Infinity

  constructor(partition: AssignedPartition) {
    this.partition = partition
  }

  get keys(): number {
    return this.#keys.size
  }

  get isFull(): boolean {
    return this.#keys.size >= maxKeys
  }

  /** Whether a record of this key waits there, or is on its way. */
  has(key: Buffer | null): boolean {
    return this.#keys.size > 0 && key !== null && this.#keys.has(keyName(key))
  }

  /** One more of this key: to be told before it is written, since it may be read and finished at once. */
  add(key: Buffer | null): void {
    if (key === null) return
    const name = keyName(key)
    this.#keys.set(name, (this.#keys.get(name) ?? 0) + 1)
  }

  /** One of this key is finished, or was not written. */
  remove(key: Buffer | null): void {
    if (key === null || this.#keys.size === 0) return
    const name = keyName(key)
    const left = (this.#keys.get(name) ?? 0) - 1
    if (left > 0) this.#keys.set(name, left)
    else this.#keys.delete(name)
  }

  scanned(offset: number): void {
    this.#scannedTo = offset
  }

  /** A record comes from there that somebody else wrote, from this offset on: it is counted unless the scan did. */
  takenOf(key: Buffer | null, offset: number): void {
    if (offset >= this.#scannedTo) this.add(key)
  }

  /** The record at this offset of the partition waits there. */
  keep(offset: number): void {
    this.#kept.add(offset)
  }

  /** Whether the record at this offset was found there, and so is finished where it is from; true once. */
  takes(offset: number): boolean {
    return this.#kept.size > 0 && this.#kept.delete(offset)
  }

  /** The log is not the one that was looked through any more. */
  clear(): void {
    this.#keys.clear()
    this.#kept.clear()
  }
}
