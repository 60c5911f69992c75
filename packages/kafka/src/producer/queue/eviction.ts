import { BackpressureError } from '@sluice/flow'
import type { Gate } from '@sluice/flow'
import type { Accumulator } from './accumulator.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'
import type { Settlement } from './settlement.ts'

interface Victim {
  readonly record: PendingRecord
  /** Takes it from where it stands. */
  readonly takeOut: () => void
}

/**
 * Finds who has to give way to a record of high priority: the oldest of the lowest class below it that no batch with a
 * sequence has taken. It looks through the batches when it is asked and keeps no list: a queue that is not full pays
 * nothing for it, and one that is full has few batches.
 */
export class Eviction {
  readonly #gate: Gate
  readonly #accumulator: Accumulator
  readonly #settlement: Settlement
  readonly #onEvicted: () => void

  constructor(gate: Gate, accumulator: Accumulator, settlement: Settlement, onEvicted: () => void) {
    this.#gate = gate
    this.#accumulator = accumulator
    this.#settlement = settlement
    this.#onEvicted = onEvicted
  }

  /** Takes room in the gate for so many bytes. False: there is none even then, and nobody was evicted in vain. */
  acquire(bytes: number): boolean {
    if (!this.#isEnough(bytes)) return false
    while (!this.#gate.tryAcquire(bytes)) {
      const victim = this.#oldest('low') ?? this.#oldest('medium')
      if (!victim) return false
      this.#evict(victim)
    }
    return true
  }

  #isEnough(bytes: number): boolean {
    const { records, bytes: bytesInside, maxRecords, maxBytes } = this.#gate.inspect()
    const evictable = this.#evictable()
    const recordsLeft = records - evictable.records
    return recordsLeft === 0 || (recordsLeft < maxRecords && bytesInside - evictable.bytes + bytes <= maxBytes)
  }

  #evictable(): { readonly records: number; readonly bytes: number } {
    const sum = { records: 0, bytes: 0 }
    const add = (one: { readonly records: number; readonly bytes: number }): void => {
      sum.records += one.records
      sum.bytes += one.bytes
    }
    for (const { waiting, partitions } of this.#accumulator.topics) {
      for (const { priority, bytes } of waiting) if (priority !== 'high') add({ records: 1, bytes })
      for (const queue of partitions) for (const batch of queue.unsealed()) add(batch.evictable)
    }
    return sum
  }

  #oldest(priority: 'medium' | 'low'): Victim | undefined {
    let oldest: Victim | undefined
    for (const victim of this.#candidates(priority)) {
      if (!oldest || victim.record.ordinal < oldest.record.ordinal) oldest = victim
    }
    return oldest
  }

  /** The oldest of this class in each place. */
  *#candidates(priority: 'medium' | 'low'): Generator<Victim, void, undefined> {
    for (const topic of this.#accumulator.topics) {
      const waiting = topic.oldestWaiting(priority)
      if (waiting) yield { record: waiting, takeOut: () => topic.removeWaiting(waiting) }
      for (const queue of topic.partitions) {
        for (const batch of queue.unsealed()) {
          const record = batch.oldestOf(priority)
          if (!record) continue
          yield { record, takeOut: () => queue.evict(record, batch) }
          break
        }
      }
    }
  }

  #evict({ record, takeOut }: Victim): void {
    takeOut()
    this.#onEvicted()
    const { priority, bytes } = record
    const message = 'the queue is full, and a record of high priority took its place'
    const error = new BackpressureError('old_message_dropped', message, {
      ...this.#gate.inspect(),
      priority,
      recordBytes: bytes,
    })
    this.#settlement.fail([record], 'refused', error)
  }
}
