/** What an item of a `LinkedList` carries itself, so that leaving the list needs no search and no allocation. */
export interface Linked<N> {
  previous: N | undefined
  next: N | undefined
}

/** A doubly linked list through its items; every operation takes constant time. An item is in one list at a time. */
export class LinkedList<N extends Linked<N>> {
  #first: N | undefined
  #last: N | undefined
  #length = 0

  get first(): N | undefined {
    return this.#first
  }

  get length(): number {
    return this.#length
  }

  append(node: N): void {
    node.previous = this.#last
    node.next = undefined
    if (this.#last) this.#last.next = node
    else this.#first = node
    this.#last = node
    this.#length++
  }

  /** Only for an item that is in this list. */
  remove(node: N): void {
    if (node.previous) node.previous.next = node.next
    else this.#first = node.next
    if (node.next) node.next.previous = node.previous
    else this.#last = node.previous
    node.previous = undefined
    node.next = undefined
    this.#length--
  }

  /** From the first to the last. The list must not change on the way. */
  *[Symbol.iterator](): Generator<N, void, undefined> {
    for (let node = this.#first; node; node = node.next) yield node
  }
}
