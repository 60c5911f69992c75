import { requireNumber } from '../require.ts'
import { clamp, mayRaise, requireBounds, requireSample } from './limit.ts'
import type { Limit, LimitBounds, LimitSample, LimitState } from './limit.ts'

/** What `aimdLimit` takes. */
export interface AimdOptions extends Partial<LimitBounds> {
  /** A time over this counts as dropped. From 0. Default 5,000. */
  readonly timeoutMs?: number
  /** What a drop multiplies the limit by. From 0.5 to 0.999. Default 0.9. */
  readonly backoffRatio?: number
}

/**
 * Additive increase, multiplicative decrease (Chiu and Jain, 1989; the variant of Netflix's concurrency-limits): a drop
 * or a time over the timeout multiplies the limit by `backoffRatio`, any other sample adds 1 where at least half of
 * the limit is in use. From 20 to 200, starting at 20.
 */
export function aimdLimit(options: AimdOptions = {}): Limit {
  const { timeoutMs = 5_000, backoffRatio = 0.9 } = options
  const bounds = requireBounds(options, { min: 20, max: 200, start: 20 })
  requireNumber('timeoutMs', timeoutMs, { min: 0 })
  requireNumber('backoffRatio', backoffRatio, { min: 0.5, max: 0.999 })
  return {
    name: 'aimd',
    start: (limit = bounds.start): LimitState => ({ limit }),
    next(state: LimitState, sample: LimitSample): LimitState {
      requireSample(sample)
      const { limit } = state
      if (sample.dropped || sample.rttMs > timeoutMs) return { limit: Math.max(bounds.min, limit * backoffRatio) }
      return mayRaise(state, sample) ? { limit: clamp(limit + 1, bounds.min, bounds.max) } : state
    },
  }
}
