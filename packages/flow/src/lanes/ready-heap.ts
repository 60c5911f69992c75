/** What an item of a `ReadyHeap` carries itself. */
export interface HeapItem {
  /** Smallest first. Must not change while the item is in the heap. */
  order: number
  /** Where the item stands in the heap; -1: in none. */
  heapIndex: number
}

/** A binary min-heap whose items know their place, so that one can leave from the middle. */
export class ReadyHeap<T extends HeapItem> {
  readonly #items: T[] = []

  get length(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  /** Only for an item that is in this heap. */
  remove(item: T): void {
    const index = item.heapIndex
    const last = this.#items.pop() as T
    item.heapIndex = -1
    if (last === item) return
    this.#rise(last, index)
    if (last.heapIndex === index) this.#sink(last, index)
  }

  #rise(item: T, from: number): void {
    let index = from
    while (index > 0) {
      const parentIndex = (index - 1) >>> 1
      const parent = this.#items[parentIndex] as T
      if (parent.order <= item.order) break
      this.#place(parent, index)
      index = parentIndex
    }
    this.#place(item, index)
  }

  #sink(item: T, from: number): void {
    let index = from
    for (let childIndex = 2 * index + 1; childIndex < this.#items.length; childIndex = 2 * index + 1) {
      const right = this.#items[childIndex + 1]
      if (right !== undefined && right.order < (this.#items[childIndex] as T).order) childIndex++
      const child = this.#items[childIndex] as T
      if (item.order <= child.order) break
      this.#place(child, index)
      index = childIndex
    }
    this.#place(item, index)
  }

  #place(item: T, index: number): void {
    this.#items[index] = item
    item.heapIndex = index
  }
}
