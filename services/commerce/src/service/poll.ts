import { type Clock, systemClock } from '@sluice/flow'

/** A value that is looked up from time to time; undefined while the last look failed. */
export interface Polled<T> {
  readonly latest: T | undefined
  stop(): void
}

/** Of the time, what a look-up may cost: one that takes long is done less often. */
const MAX_SHARE = 0.02
const MAX_PAUSE_MS = 30_000

/** Looks up one at a time, with a pause of at least `intervalMs` between. */
export function poll<T>(look: () => Promise<T>, intervalMs: number, clock: Clock = systemClock): Polled<T> {
  const stop = new AbortController()
  const polled = { latest: undefined as T | undefined, stop: () => stop.abort() }
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const startedMs = clock.monotonicMs()
      // A failure shows as an unknown value: whoever needs the server for its work reports it.
      polled.latest = await look().catch(() => undefined)
      const tookMs = polled.latest === undefined ? 0 : clock.monotonicMs() - startedMs
      const pauseMs = Math.max(intervalMs, Math.min(tookMs / MAX_SHARE, MAX_PAUSE_MS))
      await clock.sleep(pauseMs, stop.signal).catch(() => undefined)
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
