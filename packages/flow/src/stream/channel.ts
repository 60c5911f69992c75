import { Ring } from '../ring.ts'

export interface ChannelOptions {
  /** Called when the consumer asks, and when it has taken something: there may be room. */
  readonly onPull: () => void
  /** Called once when the consumer wants no more. */
  readonly onCancel: () => void | Promise<void> | undefined
}

type Waiting<T> = PromiseWithResolvers<IteratorResult<T, undefined>>

const done: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/**
 * The downstream end of an operator: what it pushes, the consumer takes by `next`. It holds whatever is pushed; the
 * operator sees by `length` and `demand` when to stop. Ended or failed, it still gives what it holds, and then the end.
 */
export class Channel<T> implements AsyncIterator<T, undefined> {
  readonly #onPull: () => void
  readonly #onCancel: () => void | Promise<void> | undefined
  readonly #items = new Ring<T>()
  readonly #waiting = new Ring<Waiting<T>>()
  #isOver = false
  #failure: { readonly error: unknown } | undefined

  constructor({ onPull, onCancel }: ChannelOptions) {
    this.#onPull = onPull
    this.#onCancel = onCancel
  }

  /** Items that nobody has taken yet. */
  get length(): number {
    return this.#items.length
  }

  /** Calls of `next` that wait for an item. */
  get demand(): number {
    return this.#waiting.length
  }

  /** Whether it was ended, failed or cancelled. */
  get isOver(): boolean {
    return this.#isOver
  }

  push(value: T): void {
    if (this.#isOver) return
    const waiting = this.#waiting.shift()
    if (waiting) waiting.resolve({ done: false, value })
    else this.#items.push(value)
  }

  /** Takes the oldest item out again, for who would rather drop it. */
  dropOldest(): T | undefined {
    return this.#items.shift()
  }

  end(): void {
    this.#isOver = true
    for (let waiting = this.#waiting.shift(); waiting; waiting = this.#waiting.shift()) waiting.resolve(done)
  }

  fail(error: unknown): void {
    if (this.#isOver) return
    const first = this.#waiting.shift()
    if (first) first.reject(error)
    else this.#failure = { error }
    this.end()
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#items.length > 0) {
      const value = this.#items.shift() as T
      this.#onPull()
      return Promise.resolve({ done: false, value })
    }
    if (this.#failure) return this.#takeFailure(this.#failure.error)
    if (this.#isOver) return Promise.resolve(done)
    const waiting = Promise.withResolvers<IteratorResult<T, undefined>>()
    this.#waiting.push(waiting)
    this.#onPull()
    return waiting.promise
  }

  /** Nothing waits any more and nothing is held; resolves when what is upstream is closed too. */
  async return(): Promise<IteratorResult<T, undefined>> {
    const wasOver = this.#isOver
    this.#items.clear()
    this.#failure = undefined
    this.end()
    if (!wasOver) await this.#onCancel()
    return done
  }

  #takeFailure(error: unknown): Promise<never> {
    this.#failure = undefined
    return Promise.reject(error)
  }
}
