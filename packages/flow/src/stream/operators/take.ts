import { closeSource } from '../puller.ts'

/** The first so many elements; the source is left as soon as the last of them is there. */
export class TakeIterator<T> implements AsyncIterator<T, undefined> {
  readonly #source: AsyncIterator<T, unknown>
  #left: number
  /** Its failure is told in place of the end. */
  #closing: Promise<void> | undefined

  constructor(source: AsyncIterator<T, unknown>, count: number) {
    this.#source = source
    this.#left = count
    if (count === 0) this.#close()
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#left > 0) {
      const result = await this.#source.next()
      if (result.done) this.#left = 0
      else {
        if (--this.#left === 0) this.#close()
        return { done: false, value: result.value }
      }
    }
    await this.#closing
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#left = 0
    await (this.#closing ?? closeSource(this.#source))
    return { done: true, value: undefined }
  }

  #close(): void {
    this.#closing = closeSource(this.#source)
    // Whoever asks for the end hears of it; until then it is not unhandled.
    this.#closing.catch(() => {})
  }
}
