import type { Clock, Timer } from '../clock.ts'
import { callListener } from '../listener.ts'
import { requireNumber } from '../require.ts'
import type { LaneTask } from './lane.ts'
import type { LaneKey } from './order.ts'

/** An item that runs so long that everything behind it in its lane waits for it alone. */
export interface StuckHead<T> {
  /** What is stuck. */
  readonly item: T
  /** The lane that waits behind it. */
  readonly lane: LaneKey
  /** How long it has run. */
  readonly runningMs: number
  /** 1 for the first time. */
  readonly attempt: number
}

interface StuckHeadsOptions<T> {
  /** What runs, the one that started first before the others. */
  readonly tasks: Iterable<LaneTask<T>>
  readonly stuckAfterMs: number | undefined
  readonly onStuck: ((stuck: StuckHead<T>) => void) | undefined
  readonly clock: Clock
}

/** Tells of each task once when it has run for too long, with one timer for all of them. */
export class StuckHeads<T> {
  readonly #tasks: Iterable<LaneTask<T>>
  readonly #stuckAfterMs: number
  readonly #onStuck: ((stuck: StuckHead<T>) => void) | undefined
  readonly #clock: Clock
  readonly #told = new Set<LaneTask<T>>()
  #timer: Timer | undefined
  #running = 0
  #closed = false

  constructor({ tasks, stuckAfterMs = 30_000, onStuck, clock }: StuckHeadsOptions<T>) {
    this.#tasks = tasks
    this.#stuckAfterMs = requireNumber('stuckAfterMs', stuckAfterMs, { min: 1, max: Infinity })
    this.#onStuck = onStuck
    this.#clock = clock
  }

  started(): void {
    this.#running++
    if (this.#onStuck && !this.#timer && !this.#closed) this.#arm(this.#stuckAfterMs)
  }

  stopped(task: LaneTask<T>): void {
    this.#told.delete(task)
    if (--this.#running === 0) this.#disarm()
  }

  list(afterMs = this.#stuckAfterMs): readonly StuckHead<T>[] {
    requireNumber('afterMs', afterMs, { min: 0, max: Infinity })
    const nowMs = this.#clock.monotonicMs()
    return [...this.#tasks].map((task) => describe(task, nowMs)).filter((stuck) => stuck.runningMs >= afterMs)
  }

  close(): void {
    this.#closed = true
    this.#disarm()
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimeout(() => this.#look(), delayMs)
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #look(): void {
    this.#timer = undefined
    const nowMs = this.#clock.monotonicMs()
    const stuck: StuckHead<T>[] = []
    for (const task of this.#tasks) {
      if (this.#told.has(task)) continue
      const leftMs = task.startedMs + this.#stuckAfterMs - nowMs
      if (leftMs > 0) {
        this.#arm(leftMs)
        break
      }
      this.#told.add(task)
      stuck.push(describe(task, nowMs))
    }
    for (const each of stuck) callListener(this.#onStuck, each, 'stuck')
  }
}

function describe<T>({ item, lane, startedMs, attempt }: LaneTask<T>, nowMs: number): StuckHead<T> {
  return { item, lane, runningMs: nowMs - startedMs, attempt }
}
