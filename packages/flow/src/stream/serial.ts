/** An iterator that answers in the order in which it was asked, also who does not wait for the answer before. */
export abstract class SerialIterator<T> implements AsyncIterator<T, undefined> {
  /** Questions without an answer. */
  #open = 0
  #last: Promise<IteratorResult<T, undefined>> | undefined

  next(): Promise<IteratorResult<T, undefined>> {
    const isFirst = this.#open++ === 0
    return (this.#last = isFirst ? this.ask() : this.#last!.then(this.#askNext, this.#askNext))
  }

  abstract return(): Promise<IteratorResult<T, undefined>>

  /** One question at a time. Calls `answered` when it settles. */
  protected abstract ask(): Promise<IteratorResult<T, undefined>>

  protected answered(): void {
    this.#open--
  }

  readonly #askNext = (): Promise<IteratorResult<T, undefined>> => this.ask()
}
