const MIN_CAPACITY = 16
/** An empty ring larger than this gives its memory back. */
const KEPT_CAPACITY = 1_024

/** A first-in first-out queue in a growing ring: every operation takes constant time (growth amortised). */
export class Ring<T> {
  /** Its length is a power of two, so that a mask wraps an index. */
  #slots: (T | undefined)[] = new Array(MIN_CAPACITY)
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(item: T): void {
    if (this.#length === this.#slots.length) this.#grow()
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = item
    this.#length++
  }

  /** Takes the oldest item out. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#slots.length - 1)
    if (--this.#length === 0 && this.#slots.length > KEPT_CAPACITY) this.clear()
    return item
  }

  /** The oldest item, left where it is. */
  peek(): T | undefined {
    return this.#slots[this.#head]
  }

  /** The item at `index` counted from the oldest, which is 0. */
  at(index: number): T | undefined {
    if (!(index >= 0 && index < this.#length)) return undefined
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)]
  }

  clear(): void {
    this.#slots = new Array(MIN_CAPACITY)
    this.#head = 0
    this.#length = 0
  }

  /** From the oldest to the newest. The ring must not change on the way. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let index = 0; index < this.#length; index++) yield this.at(index) as T
  }

  #grow(): void {
    const slots: (T | undefined)[] = new Array(this.#slots.length * 2)
    for (let index = 0; index < this.#length; index++) slots[index] = this.at(index)
    this.#slots = slots
    this.#head = 0
  }
}
