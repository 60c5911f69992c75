import type { Clock } from '@sluice/flow'
import type { Random } from '../sample/random.ts'

/** When the next records are due: numbers of records, one after another, each yielded at its time. */
export type Pace = AsyncGenerator<number, void, undefined>

export interface PaceOptions {
  readonly clock: Clock
  /** Ends the pace. */
  readonly signal: AbortSignal
}

export interface Bursts {
  /** Records a burst. */
  readonly records: readonly [min: number, max: number]
  /** Pause between bursts. */
  readonly pauseMs: readonly [min: number, max: number]
}

/** Steady paces look at the time this often; a higher rate gives more records a turn. */
const TICK_MS = 10
/** What could not be generated in time (back-pressure) is made up for up to this, and left out beyond it. */
const MAX_ARREARS_MS = 1_000

/** Bursts of random size with random pauses, the first one at once. */
export async function* bursts({ records, pauseMs }: Bursts, random: Random, { clock, signal }: PaceOptions): Pace {
  while (!signal.aborted) {
    yield random.integer(...records)
    await pause(random.integer(...pauseMs), clock, signal)
  }
}

/** So many records a second, evenly. A taker that was held up gets the arrears of the last second, not more. */
export async function* steady(perSecond: number, { clock, signal }: PaceOptions): Pace {
  let startMs = clock.monotonicMs()
  let yielded = 0
  while (!signal.aborted) {
    const dueMs = startMs + ((yielded + 1) * 1_000) / perSecond
    await pause(Math.max(TICK_MS, dueMs - clock.monotonicMs()), clock, signal)
    if (signal.aborted) return
    const lateMs = clock.monotonicMs() - dueMs
    if (lateMs > MAX_ARREARS_MS) startMs += lateMs - MAX_ARREARS_MS
    const due = Math.floor(((clock.monotonicMs() - startMs) * perSecond) / 1_000) - yielded
    if (due < 1) continue
    yielded += due
    yield due
  }
}

async function pause(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  // An abort ends the pause; the loops look at the signal themselves.
  await clock.sleep(delayMs, signal).catch(() => undefined)
}
