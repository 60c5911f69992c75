import { requireInteger, requireNumber } from '../require.ts'
import { clamp, mayRaise, requireBounds } from './limit.ts'
import { windowedLimit } from './windowed.ts'
import type { WindowedState } from './windowed.ts'
import type { Limit, LimitBounds, LimitSample, LimitState } from './limit.ts'

/** What `gradientLimit` takes. */
export interface GradientOptions extends Partial<LimitBounds> {
  /** Samples whose mean is one measure. From 1. Default 100. */
  readonly window?: number
  /** How much slower than usual is still no reason to lower the limit, as a factor. From 1. Default 1.5. */
  readonly tolerance?: number
  /** Measures in the moving average that says what is usual. From 1. Default 600. */
  readonly longWindow?: number
  /** Share of a new estimate in the limit. From 0.001 to 1. Default 0.2. */
  readonly smoothing?: number
  /** Calls that the limit allows to queue in the backend, so that it can find out about more. From 0. Default 4. */
  readonly queueSize?: number
  /** What a drop multiplies the limit by. From 0.5 to 0.999. Default 0.9. */
  readonly backoffRatio?: number
}

/** What a gradient limit has learned. */
export interface GradientState extends LimitState {
  /** Exponential moving average of the measures, over `longWindow` of them. */
  readonly longMs: number
  /** Measures seen, as far as the warm-up needs to know. */
  readonly samples: number
}

/** As many first measures are averaged plainly, or the first one alone would say what is usual. */
const WARM_UP = 10
/** A time of nothing would divide by nothing. */
const LEAST_MS = 0.001

/**
 * The Gradient2 limit of Netflix's concurrency-limits: compares the mean time of each window with the
 * long-term average of these,
 *
 *     gradient = clamp(tolerance * long / short, 0.5, 1)
 *     limit    = (1 - smoothing) * limit + smoothing * (gradient * limit + queueSize)
 *
 * where short is this window's time. An average more than twice as long decays by 5 % so that it finds back after a
 * slow spell. Beyond the original, which ignores drops: a drop multiplies the limit by `backoffRatio`; and few in
 * flight holds increases alone. From 20 to 200, starting at 20.
 */
export function gradientLimit(options: GradientOptions = {}): Limit<WindowedState<GradientState>> {
  const { window = 100, ...rest } = options
  return windowedLimit(gradientOfMeasures(rest), { window })
}

function gradientOfMeasures(options: Omit<GradientOptions, 'window'>): Limit<GradientState> {
  const { tolerance = 1.5, longWindow = 600, smoothing = 0.2, queueSize = 4, backoffRatio = 0.9 } = options
  const bounds = requireBounds(options, { min: 20, max: 200, start: 20 })
  requireNumber('tolerance', tolerance, { min: 1 })
  requireInteger('longWindow', longWindow, { min: 1 })
  requireNumber('smoothing', smoothing, { min: 0.001, max: 1 })
  requireNumber('queueSize', queueSize, { min: 0 })
  requireNumber('backoffRatio', backoffRatio, { min: 0.5, max: 0.999 })

  const average = ({ longMs, samples }: GradientState, rttMs: number): number => {
    const weight = samples < WARM_UP ? 1 / (samples + 1) : 2 / (longWindow + 1)
    return longMs + weight * (rttMs - longMs)
  }

  return {
    name: 'gradient2',
    start: (limit = bounds.start): GradientState => ({ limit, longMs: 0, samples: 0 }),
    next(state: GradientState, sample: LimitSample): GradientState {
      const { limit } = state
      if (sample.dropped) return { ...state, limit: Math.max(bounds.min, limit * backoffRatio) }
      const shortMs = Math.max(LEAST_MS, sample.rttMs)
      const averageMs = average(state, shortMs)
      const longMs = averageMs > 2 * shortMs ? averageMs * 0.95 : averageMs
      const samples = Math.min(WARM_UP, state.samples + 1)
      const gradient = clamp((tolerance * averageMs) / shortMs, 0.5, 1)
      const estimate = (1 - smoothing) * limit + smoothing * (gradient * limit + queueSize)
      const wanted = clamp(estimate, bounds.min, bounds.max)
      return { limit: wanted > limit && !mayRaise(state, sample) ? limit : wanted, longMs, samples }
    },
  }
}
