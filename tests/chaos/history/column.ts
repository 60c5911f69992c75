/** Numbers in a row that grows by doubling: what a history of a million events is kept in. */
export class Column {
  #values: Float64Array
  #length = 0

  constructor(capacity = 1_024) {
    this.#values = new Float64Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** Returns where the value stands. */
  push(value: number): number {
    if (this.#length === this.#values.length) {
      const grown = new Float64Array(this.#length * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.#length] = value
    return this.#length++
  }

  at(index: number): number {
    return this.#values[index]!
  }

  set(index: number, value: number): void {
    this.#values[index] = value
  }

  /** The values, not copied: of no use after the next `push`. */
  view(): Float64Array {
    return this.#values.subarray(0, this.#length)
  }
}
