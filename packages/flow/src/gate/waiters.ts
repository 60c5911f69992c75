import type { Clock, Timer } from '../clock.ts'
import { LinkedList } from '../queue/linked-list.ts'
import type { Linked } from '../queue/linked-list.ts'

export interface WaitOptions {
  /** Leaves the line, rejecting with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Leaves the line after this time, rejecting with `timeoutError()`. Default: no limit. */
  readonly timeoutMs?: number | undefined
  readonly timeoutError?: () => Error
}

interface Node<T> extends Linked<Node<T>> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  timer: Timer | undefined
  stopListening: (() => void) | undefined
}

/** A line of promises, first come first served. One that gives up leaves in constant time from wherever it stands. */
export class Waiters<T> {
  readonly #clock: Clock
  readonly #onLeft: () => void
  readonly #line = new LinkedList<Node<T>>()

  /** `onLeft` is called after one has given up: those behind it may be able to go now. */
  constructor(clock: Clock, onLeft: () => void = () => {}) {
    this.#clock = clock
    this.#onLeft = onLeft
  }

  get length(): number {
    return this.#line.length
  }

  /** What the first in line waits for. */
  peek(): T | undefined {
    return this.#line.first?.item
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
    const node = this.#line.first
    if (node === undefined) return
    this.#remove(node)
    node.resolve()
  }

  /** Sends the first in line away. */
  rejectFirst(reason: unknown): void {
    const node = this.#line.first
    if (node === undefined) return
    this.#remove(node)
    node.reject(reason)
  }

  resolveAll(): void {
    while (this.#line.first) this.resolveFirst()
  }

  rejectAll(reason: unknown): void {
    while (this.#line.first) this.rejectFirst(reason)
  }

  #giveUp(node: Node<T>, reason: unknown): void {
    this.#remove(node)
    node.reject(reason)
    this.#onLeft()
  }

  #append(item: T, resolve: () => void, reject: (reason: unknown) => void): Node<T> {
    const links = { previous: undefined, next: undefined, timer: undefined, stopListening: undefined }
    const node: Node<T> = { item, resolve, reject, ...links }
    this.#line.append(node)
    return node
  }

  #remove(node: Node<T>): void {
    this.#line.remove(node)
    node.timer?.cancel()
    node.stopListening?.()
  }
}
