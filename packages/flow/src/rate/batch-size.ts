import { ConfigError } from '../errors.ts'
import { clamp } from '../limits/limit.ts'
import { requireInteger, requireNumber } from '../require.ts'

/** What an AdaptiveBatchSize takes. */
export interface BatchSizeOptions {
  /** The smallest size, in records. From 1. Default 10. */
  readonly min?: number
  /** The largest size, in records. From 1, and at least `min`. Default 500. */
  readonly max?: number
  /** The first size, in records. From `min` to `max`. Default 100, or the one of them that is nearest to it. */
  readonly start?: number
  /** What a decrease multiplies by. From 0.01 to 0.99. Default 0.5. */
  readonly factor?: number
  /** What an increase adds, in records. From 1. Default 10. */
  readonly step?: number
}

/** What `inspect()` of an AdaptiveBatchSize returns. */
export interface BatchSizeState {
  readonly size: number
  /** The smallest size. */
  readonly min: number
  /** The largest size. */
  readonly max: number
}

/** How many to take at once: halved under pressure, ten more when there is none. From 10 to 500, starting at 100. */
export class AdaptiveBatchSize {
  readonly #min: number
  readonly #max: number
  readonly #factor: number
  readonly #step: number
  #size: number

  constructor({ min = 10, max = 500, start, factor = 0.5, step = 10 }: BatchSizeOptions = {}) {
    this.#min = requireInteger('min', min, { min: 1 })
    this.#max = requireInteger('max', max, { min: 1 })
    if (max < min) throw new ConfigError('max', max, `at least min, which is ${min}`)
    this.#size = requireInteger('start', start ?? clamp(100, min, max), { min, max })
    this.#factor = requireNumber('factor', factor, { min: 0.01, max: 0.99 })
    this.#step = requireInteger('step', step, { min: 1 })
  }

  get size(): number {
    return this.#size
  }

  /** Under pressure: multiplies the size by `factor`, down to `min`. */
  decrease(): number {
    return (this.#size = Math.max(this.#min, Math.floor(this.#size * this.#factor)))
  }

  /** Without pressure: adds `step`, up to `max`. */
  increase(): number {
    return (this.#size = Math.min(this.#max, this.#size + this.#step))
  }

  inspect(): BatchSizeState {
    return { size: this.#size, min: this.#min, max: this.#max }
  }
}
