import type { Clock, Timer } from '../clock.ts'

export interface WaitOptions {
  /** Leaves the line, rejecting with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Leaves the line after this time, rejecting with `timeoutError()`. Default: no limit. */
  readonly timeoutMs?: number | undefined
  readonly timeoutError?: () => Error
}

interface Node<T> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  previous: Node<T> | undefined
  next: Node<T> | undefined
  timer: Timer | undefined
  stopListening: (() => void) | undefined
}

/** A line of promises, first come first served. One that gives up leaves in constant time from wherever it stands. */
export class Waiters<T> {
  readonly #clock: Clock
  readonly #onLeft: () => void
  #first: Node<T> | undefined
  #last: Node<T> | undefined
  #length = 0

  /** `onLeft` is called after one has given up: those behind it may be able to go now. */
  constructor(clock: Clock, onLeft: () => void = () => {}) {
    this.#clock = clock
    this.#onLeft = onLeft
  }

  get length(): number {
    return this.#length
  }

  /** What the first in line waits for. */
  peek(): T | undefined {
    return this.#first?.item
  }

  wait(item: T, { signal, timeoutMs = Infinity, timeoutError }: WaitOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const node = this.#append(item, resolve, reject)
      if (timeoutMs !== Infinity) {
        node.timer = this.#clock.setTimeout(() => this.#giveUp(node, timeoutError?.()), timeoutMs)
      }
      if (signal) {
        const onAbort = (): void => this.#giveUp(node, signal.reason)
        signal.addEventListener('abort', onAbort, { once: true })
        node.stopListening = () => signal.removeEventListener('abort', onAbort)
      }
    })
  }

  /** Lets the first in line go. */
  resolveFirst(): void {
    const node = this.#first
    if (node === undefined) return
    this.#remove(node)
    node.resolve()
  }

  resolveAll(): void {
    while (this.#first) this.resolveFirst()
  }

  rejectAll(reason: unknown): void {
    for (let node = this.#first; node; node = this.#first) {
      this.#remove(node)
      node.reject(reason)
    }
  }

  #giveUp(node: Node<T>, reason: unknown): void {
    this.#remove(node)
    node.reject(reason)
    this.#onLeft()
  }

  #append(item: T, resolve: () => void, reject: (reason: unknown) => void): Node<T> {
    const previous = this.#last
    const node: Node<T> = {
      item,
      resolve,
      reject,
      previous,
      next: undefined,
      timer: undefined,
      stopListening: undefined,
    }
    if (previous) previous.next = node
    else this.#first = node
    this.#last = node
    this.#length++
    return node
  }

  #remove(node: Node<T>): void {
    if (node.previous) node.previous.next = node.next
    else this.#first = node.next
    if (node.next) node.next.previous = node.previous
    else this.#last = node.previous
    this.#length--
    node.timer?.cancel()
    node.stopListening?.()
  }
}
