import type { Clock } from '@sluice/flow'
import { requireInteger, orAborted } from '@sluice/flow/internal'
import { Backoff } from '../async/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterTimeoutError, RequestTimeoutError } from '../errors.ts'
import { answerWithin } from '../async/within.ts'
import type { AskBroker } from './ask-broker.ts'
import { defaultAdminTimeoutMs, type AdminCallOptions } from './options.ts'

const silence = new Error('no answer came in this time')

/** How long an admin call may go on trying, and the waits between its tries. */
export class Deadline {
  readonly timeoutMs: number
  readonly #clock: Clock
  readonly #signal: AbortSignal | undefined
  readonly #dueMs: number
  readonly #backoff = new Backoff(20, 500)
  #lastCause: unknown

  constructor(clock: Clock, { timeoutMs = defaultAdminTimeoutMs, signal }: AdminCallOptions) {
    this.timeoutMs = requireInteger('timeoutMs', timeoutMs, { min: 1, max: 2 ** 31 - 1 })
    this.#clock = clock
    this.#signal = signal
    this.#dueMs = clock.monotonicMs() + timeoutMs
    signal?.throwIfAborted()
  }

  get signal(): AbortSignal | undefined {
    return this.#signal
  }

  /** At least 1. */
  get leftMs(): number {
    return Math.max(1, Math.ceil(this.#dueMs - this.#clock.monotonicMs()))
  }

  /** Waits for an answer of this broker until the time is over. @throws RequestTimeoutError then */
  readonly ask: AskBroker = async ({ host, port }, api, question) => {
    const late = (): Error => new RequestTimeoutError(`${host}:${port}`, api, this.timeoutMs)
    return await orAborted(answerWithin(this.#clock, question(), this.leftMs, late), this.#signal)
  }

  /**
   * Waits for work in which any broker may be asked until the time is over.
   * @throws ClusterTimeoutError `what` then, with the last reason that is known as its cause
   */
  async limit<Answer>(what: string, work: Promise<Answer>): Promise<Answer> {
    const late = (): Error => new ClusterTimeoutError(what, this.timeoutMs, this.#lastCause ?? silence)
    return await orAborted(answerWithin(this.#clock, work, this.leftMs, late), this.#signal)
  }

  /** Asks the cluster for these topics: see `Cluster.refresh`. @throws ClusterTimeoutError */
  async refresh(cluster: Cluster, topics: readonly string[]): Promise<void> {
    await this.limit(`no broker told about ${topics.join(', ')}`, cluster.refresh(topics))
  }

  /**
   * Waits before another try.
   * @param cause why the last one was in vain; where nothing is known of it, the reason of the try before holds
   * @throws ClusterTimeoutError `what` has not come about in time, with the last reason as its cause
   */
  async pause(what: string, cause?: unknown): Promise<void> {
    this.#lastCause = cause ?? this.#lastCause
    if (!(await this.pauses())) throw new ClusterTimeoutError(what, this.timeoutMs, this.#lastCause)
  }

  /** Waits before another try, longer each time; false at once where the time would be over by then. */
  async pauses(): Promise<boolean> {
    const waitMs = this.#backoff.nextMs()
    if (this.#clock.monotonicMs() + waitMs > this.#dueMs) return false
    await this.#clock.sleep(waitMs, this.#signal)
    return true
  }
}
