import { orAborted } from '@sluice/flow/internal'
import type { Clock } from '@sluice/flow'
import { Backoff } from '../async/backoff.ts'

export interface Attempts {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Called with each failure that another attempt follows. */
  readonly onFailure: (error: unknown) => void
  /** Whether no further attempt can succeed. */
  readonly isFinal: (error: unknown) => boolean
}

/**
 * Tries until it succeeds, with pauses of 100 ms to 5 s. What is under way when the signal comes goes on without being
 * waited for.
 * @throws the signal's reason, at once; the first error that is final
 */
export async function untilDone<T>(attempt: () => Promise<T>, { clock, signal, onFailure, isFinal }: Attempts) {
  const backoff = new Backoff(100, 5_000)
  for (;;) {
    signal.throwIfAborted()
    try {
      return await orAborted(attempt(), signal)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (isFinal(error)) throw error
      onFailure(error)
    }
    await clock.sleep(backoff.nextMs(), signal)
  }
}
