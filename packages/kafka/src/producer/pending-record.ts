import type { Delivery, WireHeaders, WireRecord } from '../record.ts'
import type { Settlements } from './account.ts'

type Resolve = (delivery: Delivery) => void
type Reject = (error: unknown) => void

// The executor of a promise runs at once: these two hand its functions over without a closure a record.
let resolveNew: Resolve
let rejectNew: Reject
const capture = (resolve: Resolve, reject: Reject): void => {
  resolveNew = resolve
  rejectNew = reject
}

/** A record on its way out, and the promise of its delivery. */
export class PendingRecord implements WireRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: WireHeaders | undefined
  readonly timestampMs: number
  /** The one that was asked for, -1 for none. */
  readonly partition: number
  /** Its size in a batch before compression, at most. */
  readonly bytes: number
  readonly promise: Promise<Delivery>
  readonly resolve: Resolve
  readonly reject: Reject
  /** When the queue took it, in monotonic milliseconds. */
  acceptedAtMs = 0
  /** Those that `flush` waits for together with it; set when the queue takes it. */
  settlements: Settlements | undefined = undefined

  constructor({ key, value, headers, timestampMs }: WireRecord, partition: number, bytes: number) {
    this.key = key
    this.value = value
    this.headers = headers
    this.timestampMs = timestampMs
    this.partition = partition
    this.bytes = bytes
    this.promise = new Promise(capture)
    this.resolve = resolveNew
    this.reject = rejectNew
  }
}
