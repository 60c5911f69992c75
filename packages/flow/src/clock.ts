import { requireNumber } from './require.ts'

/** Where all time comes from, so that a test can hold it. */
export interface Clock {
  /** Milliseconds since 1970 by the wall clock: for what is written down, never for an interval. */
  now(): number
  /** Milliseconds from an arbitrary start, never going back: for intervals and deadlines. */
  monotonicMs(): number
  /** Runs once, never before `delayMs` have passed. Infinity: never. */
  setTimeout(run: () => void, delayMs: number): Timer
  /** Rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** A timer of a `Clock`. */
export interface Timer {
  /** Idempotent, and harmless after the timer has run. */
  cancel(): void
}

/** A timer found later than this (the process was stopped) lets sockets be read before it decides anything. */
const LATE_MS = 1_000
/** The longest delay that Node's own timer keeps. */
const MAX_NODE_DELAY_MS = 2 ** 31 - 1

class SystemTimer implements Timer {
  readonly #run: () => void
  readonly #dueMs: number
  #timeout: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined

  constructor(run: () => void, delayMs: number) {
    this.#run = run
    this.#dueMs = performance.now() + delayMs
    this.#arm(delayMs)
  }

  #arm(delayMs: number): void {
    this.#timeout = setTimeout(() => this.#fire(), Math.min(Math.ceil(delayMs), MAX_NODE_DELAY_MS))
  }

  #fire(): void {
    const lateMs = performance.now() - this.#dueMs
    // Node's timer counts whole milliseconds and may be early by a part of one.
    if (lateMs < 0) this.#arm(-lateMs)
    else if (lateMs > LATE_MS) this.#immediate = setImmediate(this.#run)
    else this.#run()
  }

  cancel(): void {
    clearTimeout(this.#timeout)
    clearImmediate(this.#immediate)
  }
}

const never: Timer = Object.freeze({ cancel: () => {} })

/** The real time of this machine. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: (run: () => void, delayMs: number) =>
    requireNumber('delayMs', delayMs, { min: 0, max: Infinity }) === Infinity ? never : new SystemTimer(run, delayMs),
  sleep: (delayMs: number, signal?: AbortSignal) => sleepOn(systemClock, delayMs, signal),
})

/** A sleep made of a clock's timer: what an own `Clock` can use for its `sleep`. */
export function sleepOn(clock: Pick<Clock, 'setTimeout'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, delayMs)
    const onAbort = (): void => {
      timer.cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
