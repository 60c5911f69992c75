import type { Priority } from '@sluice/flow'
import { recordSizeUpperBound } from '../batch/encode.ts'
import type { Delivery, WireHeaders, WireRecord } from '../record/record.ts'

/** PromiseWithResolvers, which a user's compiler knows with `lib: es2024` only. */
interface OwnPromise {
  readonly promise: Promise<Delivery>
  readonly resolve: (delivery: Delivery) => void
  readonly reject: (error: unknown) => void
}

/** A record on its way out. */
export class PendingRecord implements WireRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: WireHeaders | undefined
  readonly timestampMs: number
  /** The one that was asked for, -1 for none. */
  readonly partition: number
  /** Its size in a batch before compression, at most. */
  readonly bytes: number
  /** When the queue took it, in whole monotonic milliseconds, rounded up. */
  acceptedAtMs = 0
  readonly priority: Priority
  /** How many were accepted before it; set when the queue takes it. */
  ordinal = 0
  /** A promise of its own, for a record that is in no batch or whose batch came apart. */
  own: OwnPromise | undefined = undefined

  constructor(
    key: Buffer | null,
    value: Buffer | null,
    headers: WireHeaders | undefined,
    timestampMs: number,
    partition: number,
    priority: Priority,
  ) {
    this.key = key
    this.value = value
    this.headers = headers
    this.timestampMs = timestampMs
    this.partition = partition
    this.priority = priority
    this.bytes = recordSizeUpperBound(this)
  }

  ownPromise(): Promise<Delivery> {
    this.own ??= Promise.withResolvers<Delivery>()
    return this.own.promise
  }
}
