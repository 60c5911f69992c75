import { type Clock, Limiter, type Limit, type Token, eventLoopSensor } from '@sluice/flow'
import type { ConsumerDispatcherState } from '../consumer-state.ts'

/** Above this share of busy time the event loop itself is slow, and says nothing of the backend. */
const saturatedAt = 0.9
const saturationAgeMs = 250

export interface SlotsOptions {
  /** A number stays as it is; a limit learns from how long handlers take. */
  readonly concurrency: number | Limit
  readonly clock: Clock
  /** Lanes that could be handled now, those that are included. */
  readonly runnable: () => number
  /** Whether anybody takes what begins. Default: always. */
  readonly hasDemand?: (() => boolean) | undefined
}

/** How many handlers may run at once, and how many do. */
export class Slots {
  readonly #fixed: number
  readonly #limiter: Limiter | undefined
  readonly #hasDemand: (() => boolean) | undefined
  #running = 0

  constructor({ concurrency, clock, runnable, hasDemand }: SlotsOptions) {
    this.#hasDemand = hasDemand
    this.#fixed = typeof concurrency === 'number' ? concurrency : 0
    if (typeof concurrency === 'number') return
    this.#limiter = new Limiter({ limit: concurrency, clock, cap: runnable, isSaturated: saturation(clock) })
  }

  get limit(): number {
    return this.#limiter === undefined ? this.#fixed : this.#limiter.limit
  }

  /** While fewer than so many of high topics run, the next free slot is theirs. */
  get highShare(): number {
    return this.limit / 4
  }

  get running(): number {
    return this.#running
  }

  get hasFree(): boolean {
    return this.#running < this.limit && (this.#hasDemand === undefined || this.#hasDemand())
  }

  /** The limit has fallen below what runs: who can end, should. */
  get isOverdrawn(): boolean {
    return this.#running > this.limit
  }

  take(): void {
    this.#running++
  }

  free(): void {
    this.#running--
  }

  /** For one call, where the limit learns: how the call ends is to be told to it. */
  token(): Token | undefined {
    return this.#limiter?.tryAcquire()
  }

  inspect(): Pick<ConsumerDispatcherState, 'running' | 'limit' | 'algorithm'> {
    return { running: this.#running, limit: this.limit, algorithm: this.#limiter?.inspect().algorithm ?? 'fixed' }
  }
}

function saturation(clock: Clock): () => boolean {
  const read = eventLoopSensor()
  let readAtMs = clock.monotonicMs()
  let isSaturated = false
  return () => {
    const nowMs = clock.monotonicMs()
    if (nowMs - readAtMs >= saturationAgeMs) {
      readAtMs = nowMs
      isSaturated = read() > saturatedAt
    }
    return isSaturated
  }
}
