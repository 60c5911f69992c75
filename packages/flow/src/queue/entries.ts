import { LinkedList } from '../linked-list.ts'
import type { Linked } from '../linked-list.ts'
import { perPriority, priorities, rankOf } from './priority.ts'
import type { PerPriority, Priority } from './priority.ts'

/** An item's place in the queue. It counts until it is released or shed. */
export interface QueueEntry<T> {
  /** What was pushed. */
  readonly item: T
  /** Its priority. */
  readonly priority: Priority
  /** What it counts. */
  readonly bytes: number
  /** queued: may still be evicted. sealed: in work, counts, cannot be evicted. gone: released or shed. */
  readonly state: 'waiting' | 'queued' | 'sealed' | 'gone'
}

export interface Entry<T> extends QueueEntry<T>, Linked<Entry<T>> {
  readonly sequence: number
  state: 'waiting' | 'queued' | 'sealed' | 'gone'
}

/** The queued entries by class, within each the oldest first. */
export class Entries<T> {
  readonly #lists: PerPriority<LinkedList<Entry<T>>> = perPriority(() => new LinkedList())
  readonly #bytes: Record<Priority, number> = { high: 0, medium: 0, low: 0 }

  get length(): number {
    return this.#lists.high.length + this.#lists.medium.length + this.#lists.low.length
  }

  counts(): PerPriority<number> {
    return perPriority((priority) => this.#lists[priority].length)
  }

  add(entry: Entry<T>): void {
    this.#lists[entry.priority].append(entry)
    this.#bytes[entry.priority] += entry.bytes
  }

  remove(entry: Entry<T>): void {
    this.#lists[entry.priority].remove(entry)
    this.#bytes[entry.priority] -= entry.bytes
  }

  /** The most important one, or the one that came first. */
  next(order: 'priority' | 'arrival'): Entry<T> | undefined {
    let next: Entry<T> | undefined
    for (const priority of priorities) {
      const { first } = this.#lists[priority]
      if (first && (next === undefined || first.sequence < next.sequence)) next = first
      if (next && order === 'priority') break
    }
    return next
  }

  /** The oldest of the lowest class below this one. */
  lowestBelow(priority: Priority): Entry<T> | undefined {
    return classesBelow(priority)
      .map((lower) => this.#lists[lower].first)
      .findLast((first) => first !== undefined)
  }

  /** What all classes below this one hold together. */
  sumBelow(priority: Priority): { readonly records: number; readonly bytes: number } {
    let records = 0
    let bytes = 0
    for (const lower of classesBelow(priority)) {
      records += this.#lists[lower].length
      bytes += this.#bytes[lower]
    }
    return { records, bytes }
  }
}

/** From the most important to the least. */
export function classesBelow(priority: Priority): readonly Priority[] {
  return priorities.slice(rankOf[priority] + 1)
}
