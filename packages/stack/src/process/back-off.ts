/** How long to wait before a crashed process is started again. */
export interface RestartBackOff {
  /** Wait before the first restart. From 0. Default 250 ms. */
  readonly firstMs: number
  /** Longest wait. At least `firstMs`. Default 10,000 ms. */
  readonly maxMs: number
  /**
   * A process that ran for this long has proved itself: the next wait is the first again. From 0. Default 30,000 ms.
   */
  readonly resetAfterMs: number
}

export const defaultBackOff: RestartBackOff = { firstMs: 250, maxMs: 10_000, resetAfterMs: 30_000 }

/** The wait before the restart after `failures` quick ends in a row (from 1): doubles from the first to the longest. */
export function restartDelayMs(backOff: RestartBackOff, failures: number): number {
  return Math.min(backOff.maxMs, backOff.firstMs * 2 ** Math.min(failures - 1, 30))
}
