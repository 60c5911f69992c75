import { closeSource, warnOfFailedClose } from '../puller.ts'
import { SerialIterator } from '../serial.ts'

/** A step that leaves the element out gives this. */
export const skip: unique symbol = Symbol('skip')

/** What `map`, `filter` and `tap` do with one element. */
export type Step = (value: never) => unknown

/** Steps without waiting, several in one stage: a promise an element for all of them together. */
export class StepsIterator<T> extends SerialIterator<T> {
  readonly #source: AsyncIterator<unknown, unknown>
  readonly #steps: readonly Step[]

  constructor(source: AsyncIterator<unknown, unknown>, steps: readonly Step[]) {
    super()
    this.#source = source
    this.#steps = steps
  }

  protected async ask(): Promise<IteratorResult<T, undefined>> {
    try {
      for (;;) {
        const result = await this.#source.next()
        if (result.done) return { done: true, value: undefined }
        const value = this.#apply(result.value)
        if (value !== skip) return { done: false, value: value as T }
      }
    } catch (error) {
      // A source that has failed itself takes no harm from it.
      await closeSource(this.#source).catch(warnOfFailedClose)
      throw error
    } finally {
      this.answered()
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    await closeSource(this.#source)
    return { done: true, value: undefined }
  }

  #apply(from: unknown): unknown {
    let value = from
    for (const step of this.#steps) {
      value = step(value as never)
      if (value === skip) break
    }
    return value
  }
}
