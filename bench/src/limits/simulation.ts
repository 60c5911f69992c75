import { Limiter, ManualClock } from '@sluice/flow'
import { Ring } from '@sluice/flow/internal'
import type { Limit, Token } from '@sluice/flow'
import { exponential, seededRandom } from './random.ts'

export interface Phase {
  readonly untilMs: number
  readonly servers: number
}

export interface SimulationOptions {
  readonly limit: number | Limit
  readonly phases: readonly Phase[]
  /** Mean of the exponentially distributed service time. */
  readonly serviceMs: number
  /** Arrivals come at random, so many a second on average. */
  readonly offeredPerSecond: number
  readonly seed: number
}

/** What happened in one window of time. */
export interface Window {
  readonly endMs: number
  readonly limit: number
  /** Mean over the window. */
  readonly inFlight: number
  readonly completed: number
  readonly refused: number
  readonly latenciesMs: readonly number[]
}

const WINDOW_MS = 500

interface Request {
  readonly token: Token
  readonly arrivedMs: number
}

/**
 * A limiter in front of a backend of servers with one queue, under a manual clock: the same seed gives the same
 * figures. Who finds no slot is refused at once; nothing is lost otherwise.
 */
export function simulate({ limit, phases, serviceMs, offeredPerSecond, seed }: SimulationOptions): readonly Window[] {
  const clock = new ManualClock()
  const arrivals = seededRandom(seed)
  const services = seededRandom(seed + 1)
  const limiter = new Limiter({ limit, clock })
  const queue = new Ring<Request>()
  const windows: Window[] = []
  const endMs = phases.at(-1)!.untilMs
  let servers = phases[0]!.servers
  let busy = 0
  let current = emptyWindow()

  const serve = (): void => {
    while (busy < servers && queue.length > 0) {
      const request = queue.shift()!
      busy++
      clock.setTimeout(() => finish(request), exponential(services, serviceMs))
    }
  }
  const finish = ({ token, arrivedMs }: Request): void => {
    busy--
    current.latenciesMs.push(clock.monotonicMs() - arrivedMs)
    note()
    token.success()
    serve()
  }
  const arrive = (): void => {
    note()
    const token = limiter.tryAcquire()
    if (token) queue.push({ token, arrivedMs: clock.monotonicMs() })
    else current.refused++
    serve()
    clock.setTimeout(arrive, exponential(arrivals, 1_000 / offeredPerSecond))
  }
  /** Adds up in-flight x time, so that the mean is one over time. */
  const note = (): void => {
    const nowMs = clock.monotonicMs()
    current.inFlightMs += limiter.inFlight * (nowMs - current.notedMs)
    current.notedMs = nowMs
  }

  arrive()
  for (let nowMs = WINDOW_MS; nowMs <= endMs; nowMs += WINDOW_MS) {
    servers = phases.find(({ untilMs }) => nowMs <= untilMs)!.servers
    serve()
    clock.advance(WINDOW_MS)
    note()
    const { latenciesMs, refused, inFlightMs } = current
    const inFlight = inFlightMs / WINDOW_MS
    windows.push({ endMs: nowMs, limit: limiter.limit, inFlight, completed: latenciesMs.length, refused, latenciesMs })
    current = emptyWindow(nowMs)
  }
  return windows
}

function emptyWindow(notedMs = 0) {
  return { notedMs, inFlightMs: 0, refused: 0, latenciesMs: [] as number[] }
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
