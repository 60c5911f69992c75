import type { ManualClock } from '@sluice/flow'

/** Lets time pass until the work has ended. */
export async function settle<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isOver = false
  const over = work.finally(() => (isOver = true))
  over.catch(() => {})
  while (!isOver) {
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (!isOver) await clock.advanceAsync(250)
  }
  return await over
}
