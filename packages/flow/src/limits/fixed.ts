import { requireInteger } from '../require.ts'
import type { Limit, LimitState } from './limit.ts'

/** A limit that learns nothing. At least 1. */
export function fixedLimit(limit: number): Limit {
  requireInteger('limit', limit, { min: 1 })
  return {
    name: 'fixed',
    start: (forced = limit): LimitState => ({ limit: forced }),
    next: (state) => state,
  }
}
