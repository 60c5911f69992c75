/** What of a budget one partition owns, and what belongs to nobody; parts of 1. */
export interface BudgetDivision {
  readonly ofHigh: number
  readonly ofOthers: number
  readonly common: number
}

/** What those declared high own together, at least. */
const highPart = 1 / 4

/**
 * Half of a budget belongs to nobody and the other half to the partitions, each as much as any other. Where some are
 * declared high, these own a quarter of the whole first, and none of the others owns more than one of them.
 */
export function divideBudget(partitions: number, high: number): BudgetDivision {
  const others = partitions - high
  if (high === 0) return { ofHigh: 0, ofOthers: 1 / 2 / Math.max(1, others), common: 1 / 2 }
  const ofAllHigh = Math.max(highPart, high / partitions / 2)
  const ofHigh = ofAllHigh / high
  const ofOthers = Math.min(ofHigh, (1 - ofAllHigh) / 2 / others)
  return { ofHigh, ofOthers, common: 1 - ofAllHigh - ofOthers * others }
}
