import { ConfigError } from '../errors.ts'
import { requireInteger, requireNumber } from '../require.ts'
import { mayRaise, requireBounds, requireSample } from './limit.ts'
import type { Limit, LimitBounds, LimitSample, LimitState } from './limit.ts'

/** What `stepLimit` takes. */
export interface StepOptions extends Partial<LimitBounds> {
  /** Samples per decision. From 1. Default 100. */
  readonly window?: number
  /** A mean over this lowers the limit. From 0. Default 1,000. */
  readonly slowMs?: number
  /** A mean under this raises the limit. From 0, and below `slowMs`. Default 100. */
  readonly fastMs?: number
  /** What a slow mean takes off the limit. From 0. Default 10. */
  readonly stepDown?: number
  /** What a fast mean adds to the limit. From 0. Default 5. */
  readonly stepUp?: number
}

/** What a step limit has learned. */
export interface StepState extends LimitState {
  /** Samples of the decision under way. */
  readonly samples: number
  /** The sum of their times. */
  readonly sumMs: number
  /** Samples of the window that could argue for more. */
  readonly raising: number
}

/**
 * Once a window, by the window's mean: over `slowMs` down by `stepDown`, under `fastMs` up by `stepUp`. From 10 to 200,
 * starting at 100. A dropped sample counts as one of at least twice `slowMs`, so that half a window of drops lowers the
 * limit. An absolute measure: it must be tuned to the backend, and between the two thresholds it does nothing however
 * much is queued.
 */
export function stepLimit(options: StepOptions = {}): Limit<StepState> {
  const { window = 100, slowMs = 1_000, fastMs = 100, stepDown = 10, stepUp = 5 } = options
  const bounds = requireBounds(options, { min: 10, max: 200, start: 100 })
  requireInteger('window', window, { min: 1 })
  requireNumber('slowMs', slowMs, { min: 0 })
  requireNumber('fastMs', fastMs, { min: 0 })
  if (fastMs >= slowMs) throw new ConfigError('fastMs', fastMs, `less than slowMs, which is ${slowMs}`)
  requireNumber('stepDown', stepDown, { min: 0 })
  requireNumber('stepUp', stepUp, { min: 0 })

  const start = (limit = bounds.start): StepState => ({ limit, samples: 0, sumMs: 0, raising: 0 })

  const decide = ({ limit, samples, sumMs, raising }: StepState): StepState => {
    const meanMs = sumMs / samples
    if (meanMs > slowMs) return start(Math.max(bounds.min, limit - stepDown))
    if (meanMs < fastMs && 2 * raising >= samples) return start(Math.min(bounds.max, limit + stepUp))
    return start(limit)
  }

  return {
    name: 'step',
    start,
    next(state: StepState, sample: LimitSample): StepState {
      requireSample(sample)
      const rttMs = sample.dropped ? Math.max(sample.rttMs, 2 * slowMs) : sample.rttMs
      const samples = state.samples + 1
      const raising = state.raising + (mayRaise(state, sample) ? 1 : 0)
      const next = { limit: state.limit, samples, sumMs: state.sumMs + rttMs, raising }
      return samples < window ? next : decide(next)
    },
  }
}
