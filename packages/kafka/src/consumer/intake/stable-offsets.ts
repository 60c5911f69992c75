import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { FetchedPartition } from '../../driver/driver.ts'
import type { ConsumerEvents } from '../events.ts'
import type { AssignedPartition } from '../partition.ts'

/** So long a transaction may be open before it is told. */
const heldMs = 30_000

interface Held {
  readonly offset: number
  readonly sinceMs: number
  wasTold: boolean
}

/** Watches for partitions whose last stable offset stands still while records are written behind it. */
export class StableOffsets {
  readonly #clock: Clock
  readonly #events: Emitter<ConsumerEvents>
  readonly #held = new WeakMap<AssignedPartition, Held>()

  constructor(clock: Clock, events: Emitter<ConsumerEvents>) {
    this.#clock = clock
    this.#events = events
  }

  note(partition: AssignedPartition, { lastStableOffset: offset, highWatermark }: FetchedPartition): void {
    if (offset >= highWatermark) return void this.#held.delete(partition)
    const nowMs = this.#clock.monotonicMs()
    const held = this.#held.get(partition)
    if (held?.offset !== offset) return void this.#held.set(partition, { offset, sinceMs: nowMs, wasTold: false })
    if (held.wasTold || nowMs - held.sinceMs < heldMs) return
    held.wasTold = true
    const { topicName: topic, partition: number } = partition
    const place = { topic, partition: number, offset }
    this.#events.emit('stableOffsetHeld', { ...place, highWatermark, heldMs: nowMs - held.sinceMs })
  }
}
