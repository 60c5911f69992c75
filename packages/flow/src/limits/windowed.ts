import { requireInteger } from '../require.ts'
import { requireSample } from './limit.ts'
import type { Limit, LimitSample, LimitState } from './limit.ts'

/** What a windowed limit has gathered. */
export interface WindowedState<Inner extends LimitState> extends LimitState {
  /** The state of the limit that is fed by windows. */
  readonly inner: Inner
  /** Samples of the window under way. */
  readonly samples: number
  /** The sum of their times. */
  readonly sumMs: number
  /** The most calls that ran at once in it. */
  readonly maxInFlight: number
  /** Samples of it that were dropped. */
  readonly drops: number
  /** Samples of it in which the process itself was the bottleneck. */
  readonly saturated: number
}

/**
 * Gives a limit one sample a window: the mean time, the most in flight, dropped where any was. A single time says more
 * of chance than of the backend, and a limit that compares it with an average takes chance for load. Default 100.
 */
export function windowedLimit<Inner extends LimitState>(
  limit: Limit<Inner>,
  { window = 100 }: { readonly window?: number } = {},
): Limit<WindowedState<Inner>> {
  requireInteger('window', window, { min: 1 })

  const begin = (inner: Inner): WindowedState<Inner> => {
    return { limit: inner.limit, inner, samples: 0, sumMs: 0, maxInFlight: 0, drops: 0, saturated: 0 }
  }
  const add = (state: WindowedState<Inner>, sample: LimitSample): WindowedState<Inner> => ({
    limit: state.limit,
    inner: state.inner,
    samples: state.samples + 1,
    sumMs: state.sumMs + (sample.dropped ? 0 : sample.rttMs),
    maxInFlight: Math.max(state.maxInFlight, sample.inFlight),
    drops: state.drops + (sample.dropped ? 1 : 0),
    saturated: state.saturated + (sample.saturated ? 1 : 0),
  })
  const decide = ({ limit: forced, inner, ...state }: WindowedState<Inner>): WindowedState<Inner> => {
    const timed = state.samples - state.drops
    const whole: LimitSample = {
      rttMs: timed > 0 ? state.sumMs / timed : 0,
      inFlight: state.maxInFlight,
      dropped: state.drops > 0,
      saturated: 2 * state.saturated > state.samples,
    }
    // Who holds the state may have set its limit to what is in force.
    return begin(limit.next({ ...inner, limit: forced }, whole))
  }

  return {
    name: limit.name,
    start: (from) => begin(limit.start(from)),
    next(state, sample) {
      requireSample(sample)
      const added = add(state, sample)
      return added.samples < window ? added : decide(added)
    },
  }
}
