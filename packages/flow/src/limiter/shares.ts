import { ConfigError } from '../errors.ts'
import { priorities } from '../queue/priority.ts'
import type { PerPriority, Priority } from '../queue/priority.ts'
import { requireNumber } from '../require.ts'

/** What part of the limit each priority can count on, 0..1, together at most 1. What one leaves unused others use. */
export type Shares = PerPriority<number>

export const defaultShares: Shares = { high: 0.5, medium: 0.3, low: 0.2 }

export function requireShares(shares: Shares): Shares {
  let sum = 0
  for (const priority of priorities) sum += requireNumber(`shares.${priority}`, shares[priority], { min: 0, max: 1 })
  // Thirds do not add up to exactly one in binary.
  if (sum > 1 + 1e-9) throw new ConfigError('shares', sum, 'at most 1 in sum')
  return shares
}

/**
 * Who gets a freed slot once the limit is used up: the most important of those who wait and have less than their share,
 * else the most important of those who wait.
 */
export function nextByShare(
  waiting: PerPriority<{ readonly length: number }>,
  inFlight: PerPriority<number>,
  limit: number,
  shares: Shares,
): Priority | undefined {
  let mostImportant: Priority | undefined
  for (const priority of priorities) {
    if (waiting[priority].length === 0) continue
    if (inFlight[priority] < shares[priority] * limit) return priority
    mostImportant ??= priority
  }
  return mostImportant
}
