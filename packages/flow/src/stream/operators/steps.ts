import { closeSource, warnOfFailedClose } from '../puller.ts'

/** A step that leaves the element out gives this. */
export const skip: unique symbol = Symbol('skip')

/** What `map`, `filter` and `tap` do with one element. */
export type Step = (value: never) => unknown

/** Steps without waiting, several in one stage: a promise an element for all of them together. */
export class StepsIterator<T> implements AsyncIterator<T, undefined> {
  readonly #source: AsyncIterator<unknown, unknown>
  readonly #steps: readonly Step[]

  constructor(source: AsyncIterator<unknown, unknown>, steps: readonly Step[]) {
    this.#source = source
    this.#steps = steps
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const result = await this.#source.next()
      if (result.done) return { done: true, value: undefined }
      try {
        const value = this.#apply(result.value)
        if (value !== skip) return { done: false, value: value as T }
      } catch (error) {
        await closeSource(this.#source).catch(warnOfFailedClose)
        throw error
      }
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
