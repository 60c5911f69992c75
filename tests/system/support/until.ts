import { setTimeout as sleep } from 'node:timers/promises'

export interface UntilOptions {
  /** Default 240,000. */
  readonly timeoutMs?: number
  /** Between two looks. Default 20. */
  readonly pauseMs?: number
}

/** Looks again and again until it holds. @throws Error that shows the condition, where it does not in time */
export async function until(
  holds: () => boolean | Promise<boolean>,
  { timeoutMs = 240_000, pauseMs = 20 }: UntilOptions = {},
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > deadlineMs)
      throw new Error(`it did not become true within ${timeoutMs} ms: ${holds.toString()}`)
    await sleep(pauseMs)
  }
}
