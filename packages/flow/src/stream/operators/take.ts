import { closeSource } from '../puller.ts'
import { SerialIterator } from '../serial.ts'

/** The first so many elements; the source is left as soon as the last of them is there. */
export class TakeIterator<T> extends SerialIterator<T> {
  readonly #source: AsyncIterator<T, unknown>
  #left: number
  /** Its failure is told in place of the end. */
  #closing: Promise<void> | undefined

  constructor(source: AsyncIterator<T, unknown>, count: number) {
    super()
    this.#source = source
    this.#left = count
    if (count === 0) this.#close()
  }

  protected async ask(): Promise<IteratorResult<T, undefined>> {
    try {
      const result = this.#left > 0 ? await this.#source.next() : undefined
      if (result?.done) this.#left = 0
      else if (result) {
        if (--this.#left === 0) this.#close()
        return { done: false, value: result.value }
      }
      await this.#closing
      return { done: true, value: undefined }
    } finally {
      this.answered()
    }
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
