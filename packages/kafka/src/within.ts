import type { Clock } from '@sluice/flow'

/** Whether the work ended within `timeoutMs`; else it goes on by itself. Rejects as the work does, while waiting. */
export async function endsWithin(clock: Clock, work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = clock.setTimeout(() => resolve(false), timeoutMs)
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    timer.cancel()
  }
}
