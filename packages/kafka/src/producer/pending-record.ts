import { recordSizeUpperBound } from '../batch/encode.ts'
import type { Delivery, WireHeaders, WireRecord } from '../record.ts'
import type { Settlements } from './account.ts'

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
  /** Those that `flush` waits for together with it; set when the queue takes it. */
  settlements: Settlements | undefined = undefined
  /** A promise of its own, for a record that is in no batch or whose batch came apart. */
  own: PromiseWithResolvers<Delivery> | undefined = undefined

  constructor(
    key: Buffer | null,
    value: Buffer | null,
    headers: WireHeaders | undefined,
    timestampMs: number,
    partition: number,
  ) {
    this.key = key
    this.value = value
    this.headers = headers
    this.timestampMs = timestampMs
    this.partition = partition
    this.bytes = recordSizeUpperBound(this)
  }

  ownPromise(): Promise<Delivery> {
    this.own ??= Promise.withResolvers<Delivery>()
    return this.own.promise
  }
}
