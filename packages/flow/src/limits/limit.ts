import { ConfigError } from '../errors.ts'
import { requireNumber } from '../require.ts'

/** What one finished piece of work tells about the backend. */
export interface LimitSample {
  /** How long the backend took, without our own queueing. */
  readonly rttMs: number
  /** How many were in flight, this one included. */
  readonly inFlight: number
  /** Refused or timed out: the backend says that this was too much. */
  readonly dropped: boolean
  /** Taken while our own event loop was saturated: the time may be our fault, so it cannot argue for more. */
  readonly saturated?: boolean
}

/** The state of a limit: what it allows now. */
export interface LimitState {
  /** Allowed in flight; may have a fraction, of which whoever enforces it takes the floor. */
  readonly limit: number
}

/**
 * How many may be in flight, learnt from samples. Pure: a state and a sample give the next state, so that a limit can
 * be tested and simulated without a server. `Limiter` is the mechanism.
 */
export interface Limit<State extends LimitState = LimitState> {
  readonly name: string
  /** A state that has learnt nothing yet. Default: at the configured start. */
  start(limit?: number): State
  /** The state after a sample. */
  next(state: State, sample: LimitSample): State
}

/** The range of a limit that learns, and where it begins. */
export interface LimitBounds {
  /** The lowest limit. From 1. The default is the algorithm's. */
  readonly min: number
  /** The highest limit. From `min`, at least 1. The default is the algorithm's. */
  readonly max: number
  /** The limit before anything was measured. From `min` to `max`. The default is the algorithm's. */
  readonly start: number
}

const notNegative = { min: 0 }

export function requireSample(sample: LimitSample): void {
  requireNumber('rttMs', sample.rttMs, notNegative)
  requireNumber('inFlight', sample.inFlight, notNegative)
}

/** The bounds with their defaults, if they make sense. The usual start is moved into bounds that leave it out. */
export function requireBounds({ min, max, start }: Partial<LimitBounds>, usual: LimitBounds): LimitBounds {
  const least = requireNumber('min', min ?? usual.min, { min: 1 })
  const most = requireNumber('max', max ?? usual.max, { min: 1 })
  if (most < least) throw new ConfigError('max', most, `at least min, which is ${least}`)
  const first = start ?? clamp(usual.start, least, most)
  return { min: least, max: most, start: requireNumber('start', first, { min: least, max: most }) }
}

/**
 * More is worth trying only where what is allowed is used (at least half of it) and the measure can be trusted. Few in
 * flight holds increases alone: a backend that is slow under little load is a reason to ask less of it.
 */
export function mayRaise({ limit }: LimitState, { inFlight, saturated = false }: LimitSample): boolean {
  return !saturated && 2 * inFlight >= limit
}

export function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value))
}
