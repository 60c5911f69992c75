/** What an operator makes of its source. */
export interface PullerHandlers<T> {
  readonly onValue: (value: T) => void
  readonly onEnd: () => void
  readonly onError: (error: unknown) => void
}

/** Takes from a source one at a time, when told to; after `cancel` it says nothing more. */
export class Puller<T> {
  readonly #source: AsyncIterator<T, unknown>
  readonly #handlers: PullerHandlers<T>
  #isPulling = false
  #isOver = false

  constructor(source: AsyncIterator<T, unknown>, handlers: PullerHandlers<T>) {
    this.#source = source
    this.#handlers = handlers
  }

  get isPulling(): boolean {
    return this.#isPulling
  }

  /** Whether the source has ended or failed, or was cancelled. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Asks for the next element, unless one is on its way already. */
  pull(): void {
    if (this.#isPulling || this.#isOver) return
    this.#isPulling = true
    this.#source.next().then(this.#onResult, this.#onRejection)
  }

  /**
   * Wants no more. Resolves when the source is closed, or at once where it is still busy with an element: a source that
   * hangs must not hang who leaves it.
   */
  async cancel(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    const closing = closeSource(this.#source)
    if (this.#isPulling) leaveClosing(closing)
    else await closing
  }

  readonly #onResult = (result: IteratorResult<T, unknown>): void => {
    this.#isPulling = false
    if (this.#isOver) return
    if (!result.done) return this.#handlers.onValue(result.value)
    this.#isOver = true
    this.#handlers.onEnd()
  }

  readonly #onRejection = (error: unknown): void => {
    this.#isPulling = false
    if (this.#isOver) return warnOfFailedClose(error)
    this.#isOver = true
    this.#handlers.onError(error)
  }
}

/** Cancels all of them side by side; rejects with the first failure once all are closed. */
export async function cancelAll(pullers: readonly { cancel(): Promise<void> }[]): Promise<void> {
  const closed = await Promise.allSettled(pullers.map((puller) => puller.cancel()))
  for (const result of closed) if (result.status === 'rejected') throw result.reason
}

/** Tells a source that nobody wants more of it. */
export async function closeSource(source: AsyncIterator<unknown, unknown>): Promise<void> {
  await source.return?.()
}

/** Does not wait for a closing: its failure is told as a warning, for another error or the end is on its way. */
export function leaveClosing(closing: Promise<void>): void {
  closing.catch(warnOfFailedClose)
}

/** For an error that comes up while another one, or the end, is on its way to the consumer already. */
export function warnOfFailedClose(error: unknown): void {
  process.emitWarning(`A source failed after it was left: ${messageOf(error)}`, { code: 'SLUICE_LEFT_SOURCE' })
}
import { messageOf } from '../thrown.ts'
