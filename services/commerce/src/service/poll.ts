import { systemClock } from '@sluice/flow'

/** A value that is looked up from time to time; undefined while the last look failed. */
export interface Polled<T> {
  readonly latest: T | undefined
  stop(): void
}

/** Looks up one at a time. A look-up that takes long is done less often, so that it costs 2 % of the time at most. */
export function poll<T>(look: () => Promise<T>, intervalMs: number): Polled<T> {
  const stop = new AbortController()
  const polled = { latest: undefined as T | undefined, stop: () => stop.abort() }
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const startedMs = systemClock.monotonicMs()
      // A failure shows as an unknown value: whoever needs the server for its work reports it.
      polled.latest = await look().catch(() => undefined)
      const tookMs = systemClock.monotonicMs() - startedMs
      await systemClock.sleep(Math.max(intervalMs, tookMs * 50), stop.signal).catch(() => undefined)
    }
  }
  void run()
  return polled
}

/** Runs again and again until it is ended; `run` must not throw. */
export function every(intervalMs: number, run: () => void): () => void {
  const stop = new AbortController()
  const loop = async (): Promise<void> => {
    for (;;) {
      await systemClock.sleep(intervalMs, stop.signal)
      run()
    }
  }
  // It ends by being aborted.
  loop().catch(() => undefined)
  return () => stop.abort()
}
