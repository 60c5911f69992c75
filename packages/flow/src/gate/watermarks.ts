import { ConfigError } from '../errors.ts'
import { requireInteger, requireNumber } from '../require.ts'

/** How much may be inside, and where throttling begins and ends. */
export interface WatermarkOptions {
  /** Records inside at most. At least 1. */
  readonly maxRecords: number
  /** Bytes inside at most. At least 1; Infinity: bytes do not count. Default Infinity. */
  readonly maxBytes?: number
  /**
   * Throttled from here on, in records; the same share of `maxBytes` counts too. From 1 to `maxRecords`. Default 80 %
   * of `maxRecords`.
   */
  readonly highWatermark?: number
  /**
   * No longer throttled from here down, in records. From 0, and less than `highWatermark`. Default 20 % of
   * `maxRecords`.
   */
  readonly lowWatermark?: number
}

/** Two levels with hysteresis over records and bytes: on at the high one, off at the low one, unchanged between. */
export class Watermarks {
  readonly maxRecords: number
  readonly maxBytes: number
  readonly highWatermark: number
  readonly lowWatermark: number
  readonly #highBytes: number
  readonly #lowBytes: number

  constructor({ maxRecords, maxBytes = Infinity, highWatermark, lowWatermark }: WatermarkOptions) {
    this.maxRecords = requireInteger('maxRecords', maxRecords, { min: 1 })
    this.maxBytes = requireNumber('maxBytes', maxBytes, { min: 1, max: Infinity })
    const high = highWatermark ?? Math.max(1, Math.floor(maxRecords * 0.8))
    const low = lowWatermark ?? Math.min(high - 1, Math.floor(maxRecords * 0.2))
    this.highWatermark = requireNumber('highWatermark', high, { min: 1, max: maxRecords })
    this.lowWatermark = requireNumber('lowWatermark', low, { min: 0 })
    if (low >= high) throw new ConfigError('lowWatermark', low, `less than highWatermark, which is ${high}`)
    this.#highBytes = this.maxBytes * (high / maxRecords)
    // Zero times Infinity is no number; where bytes do not count, no level of them is too high.
    this.#lowBytes = this.maxBytes === Infinity ? Infinity : this.maxBytes * (low / maxRecords)
  }

  /** The larger of the two shares; above 1 only where something was let past the bounds. */
  usage(records: number, bytes: number): number {
    return Math.max(records / this.maxRecords, bytes / this.maxBytes)
  }

  /** The state that follows from the state before. */
  isThrottled(records: number, bytes: number, wasThrottled: boolean): boolean {
    if (wasThrottled) return records > this.lowWatermark || bytes > this.#lowBytes
    return records >= this.highWatermark || bytes >= this.#highBytes
  }
}
