import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { BackpressureError, ClosedError, ConfigError, InvariantError } from '../errors.ts'
import { callListener } from '../listener.ts'
import { requireInteger, requireNumber } from '../require.ts'
import { Waiters } from './waiters.ts'
import { Watermarks } from './watermarks.ts'
import type { WatermarkOptions } from './watermarks.ts'

/** What a gate takes. */
export interface GateOptions extends WatermarkOptions {
  /** Callers of `acquire` and of `ready` that may wait at a time, each. From 0. Default 1,000. */
  readonly maxWaiting?: number
  readonly clock?: Clock
  /** Called when the usage reaches the high watermark. */
  readonly onThrottled?: (state: GateState) => void
  /** Called when the usage is back at the low watermark. */
  readonly onReleased?: (state: GateState) => void
}

/** What `acquire` of a gate takes beside the bytes. */
export interface AcquireOptions {
  /** How many records are admitted together. From 0. Default 1. */
  readonly records?: number
  readonly signal?: AbortSignal | undefined
  /**
   * Rejects with `BackpressureError('timeout_drop')` after this time. From 0. Default: waits until the gate is closed.
   */
  readonly timeoutMs?: number | undefined
}

/** What `inspect()` of a gate returns. */
export interface GateState {
  readonly records: number
  /** Bytes inside. */
  readonly bytes: number
  /** The option of this name. */
  readonly maxRecords: number
  /** The option of this name. */
  readonly maxBytes: number
  /** The option of this name. */
  readonly highWatermark: number
  /** The option of this name. */
  readonly lowWatermark: number
  /** The larger of the shares of records and of bytes, 0..1. */
  readonly usage: number
  /** From the high watermark on, until the low one is reached. */
  readonly throttled: boolean
  /** Callers of `acquire` that wait. */
  readonly waiting: number
  /** Callers of `ready` that wait. */
  readonly waitingReady: number
  /** It admits nothing more. */
  readonly closed: boolean
}

interface Wanted {
  readonly bytes: number
  readonly records: number
}

const noOptions: AcquireOptions = Object.freeze({})
const admitted = Promise.resolve()

/**
 * Bounds how much is inside, in records and in bytes: whoever brings something in acquires, whoever takes it out
 * releases. Callers that wait are served first come first served, and no one overtakes them. Something larger than the
 * whole gate passes alone, when the gate is empty. `throttled` follows the watermarks, with hysteresis.
 */
export class Gate implements Disposable {
  readonly #watermarks: Watermarks
  readonly #maxRecords: number
  readonly #maxBytes: number
  readonly #maxWaiting: number
  readonly #onThrottled: ((state: GateState) => void) | undefined
  readonly #onReleased: ((state: GateState) => void) | undefined
  readonly #waiters: Waiters<Wanted>
  readonly #readyWaiters: Waiters<undefined>
  #records = 0
  #bytes = 0
  #throttled = false
  #closedBy: Error | undefined

  constructor(options: GateOptions) {
    const clock = options.clock ?? systemClock
    this.#watermarks = new Watermarks(options)
    this.#maxRecords = this.#watermarks.maxRecords
    this.#maxBytes = this.#watermarks.maxBytes
    this.#maxWaiting = requireInteger('maxWaiting', options.maxWaiting ?? 1_000, { min: 0 })
    this.#onThrottled = options.onThrottled
    this.#onReleased = options.onReleased
    this.#waiters = new Waiters(clock, () => this.#settle())
    this.#readyWaiters = new Waiters(clock)
  }

  get records(): number {
    return this.#records
  }

  /** Bytes inside. */
  get bytes(): number {
    return this.#bytes
  }

  /** The larger of the shares of records and of bytes. */
  get usage(): number {
    return this.#watermarks.usage(this.#records, this.#bytes)
  }

  /** From the high watermark on, until the low one is reached. */
  get throttled(): boolean {
    return this.#throttled
  }

  /** Callers of `acquire` in line. */
  get waiting(): number {
    return this.#waiters.length
  }

  /** Goes in at once or not at all; never past somebody who waits. */
  tryAcquire(bytes: number, records = 1): boolean {
    requireAmounts(bytes, records)
    if (this.#waiters.length > 0 || this.#closedBy !== undefined || !this.#fits(bytes, records)) return false
    this.#enter(bytes, records)
    if (!this.#throttled) this.#updateThrottled()
    return true
  }

  /** Goes in as soon as there is room and everybody who came before is in. */
  acquire(bytes: number, options: AcquireOptions = noOptions): Promise<void> {
    // No async function: on the way of every record, its promise would be one more.
    try {
      const { timeoutMs } = options
      if (timeoutMs !== undefined) requireNumber('timeoutMs', timeoutMs, { min: 0, max: Infinity })
      options.signal?.throwIfAborted()
      return this.tryAcquire(bytes, options.records) ? admitted : this.#wait(bytes, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Counts what is inside already, even past the bounds (what a server has sent is in memory, asked for or not). */
  charge(bytes: number, records = 1): void {
    requireAmounts(bytes, records)
    this.#enter(bytes, records)
    this.#updateThrottled()
  }

  /** Gives room back. */
  release(bytes: number, records = 1): void {
    requireAmounts(bytes, records)
    if (bytes > this.#bytes || records > this.#records) {
      throw new InvariantError('More was released from the gate than is inside', {
        releasedBytes: bytes,
        releasedRecords: records,
        ...this.inspect(),
      })
    }
    this.#bytes -= bytes
    this.#records -= records
    this.#settle()
  }

  /** Resolves when the gate is not throttled; at once where it is not. */
  async ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#closedBy) throw this.#closedBy
    if (!this.#throttled) return
    if (this.#readyWaiters.length >= this.#maxWaiting) throw this.#waitingFull()
    await this.#readyWaiters.wait(undefined, { signal })
  }

  inspect(): GateState {
    return {
      records: this.#records,
      bytes: this.#bytes,
      maxRecords: this.#maxRecords,
      maxBytes: this.#maxBytes,
      highWatermark: this.#watermarks.highWatermark,
      lowWatermark: this.#watermarks.lowWatermark,
      usage: this.usage,
      throttled: this.#throttled,
      waiting: this.#waiters.length,
      waitingReady: this.#readyWaiters.length,
      closed: this.#closedBy !== undefined,
    }
  }

  /** Nobody comes in any more and all that wait are rejected; what is inside can still be released. Idempotent. */
  close(error: Error = new ClosedError('the gate')): void {
    if (this.#closedBy) return
    this.#closedBy = error
    this.#waiters.rejectAll(error)
    this.#readyWaiters.rejectAll(error)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #wait(bytes: number, { records = 1, signal, timeoutMs }: AcquireOptions): Promise<void> {
    if (this.#closedBy) throw this.#closedBy
    if (this.#waiters.length >= this.#maxWaiting) throw this.#waitingFull()
    const wanted = { bytes, records }
    if (timeoutMs === undefined) return this.#waiters.wait(wanted, signal && { signal })
    const timeoutError = (): Error => this.#refusal('timeout_drop', `No room within ${timeoutMs} ms`)
    if (timeoutMs === 0) throw timeoutError()
    return this.#waiters.wait(wanted, { signal, timeoutMs, timeoutError })
  }

  #fits(bytes: number, records: number): boolean {
    if (this.#records + records <= this.#maxRecords && this.#bytes + bytes <= this.#maxBytes) return true
    return this.#records === 0 && this.#bytes === 0
  }

  #enter(bytes: number, records: number): void {
    this.#bytes += bytes
    this.#records += records
  }

  /** Lets in whoever can go now, then sees whether that is still much or now little. */
  #settle(): void {
    for (let wanted = this.#waiters.peek(); wanted; wanted = this.#waiters.peek()) {
      if (!this.#fits(wanted.bytes, wanted.records)) break
      this.#enter(wanted.bytes, wanted.records)
      this.#waiters.resolveFirst()
    }
    this.#updateThrottled()
  }

  #updateThrottled(): void {
    const throttled = this.#watermarks.isThrottled(this.#records, this.#bytes, this.#throttled)
    if (throttled === this.#throttled) return
    this.#throttled = throttled
    if (!throttled) this.#readyWaiters.resolveAll()
    const listener = throttled ? this.#onThrottled : this.#onReleased
    if (listener) callListener(listener, this.inspect(), throttled ? 'throttled' : 'released')
  }

  #waitingFull(): BackpressureError {
    return this.#refusal('waiting_full', `${this.#maxWaiting} callers wait already`)
  }

  #refusal(reason: 'waiting_full' | 'timeout_drop', message: string): BackpressureError {
    return new BackpressureError(reason, message, { ...this.inspect() })
  }
}

function requireAmounts(bytes: number, records: number): void {
  requireAmount('bytes', bytes)
  requireAmount('records', records)
}

/** NaN fails every comparison and so is refused too. */
export function requireAmount(field: string, amount: number): void {
  if (!(amount >= 0 && amount < Infinity)) throw new ConfigError(field, amount, 'a finite number of at least 0')
}
