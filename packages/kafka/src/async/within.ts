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

/** The answer, if it comes within `timeoutMs`. @throws what `late` makes otherwise; the work then goes on by itself */
export async function answerWithin<Answer>(
  clock: Clock,
  work: Promise<Answer>,
  timeoutMs: number,
  late: () => Error,
): Promise<Answer> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = clock.setTimeout(() => reject(late()), timeoutMs)
  try {
    return await Promise.race([work, promise])
  } finally {
    timer.cancel()
  }
}
