import type { Clock, Timer } from '../clock.ts'
import { LinkedList } from '../linked-list.ts'
import type { Linked } from '../linked-list.ts'

export interface WaitOptions {
  /** Leaves the line, rejecting with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Leaves the queue after this time, rejecting with `timeoutError()`. From 0. Default Infinity: never. */
  readonly timeoutMs?: number | undefined
  readonly timeoutError?: () => Error
}

class Node<T> implements Linked<Node<T>> {
  readonly item: T
  readonly promise: Promise<void>
  resolve!: () => void
  reject!: (reason: unknown) => void
  previous: Node<T> | undefined = undefined
  next: Node<T> | undefined = undefined
  timer: Timer | undefined = undefined
  stopListening: (() => void) | undefined = undefined

  constructor(item: T) {
    this.item = item
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
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

  wait(item: T, options?: WaitOptions): Promise<void> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason)
    const node = new Node(item)
    if (options) this.#limit(node, options)
    this.#line.append(node)
    return node.promise
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

  #limit(node: Node<T>, { signal, timeoutMs = Infinity, timeoutError }: WaitOptions): void {
    if (timeoutMs !== Infinity) {
      node.timer = this.#clock.setTimeout(() => this.#giveUp(node, timeoutError?.()), timeoutMs)
    }
    if (signal) {
      const onAbort = (): void => this.#giveUp(node, signal.reason)
      signal.addEventListener('abort', onAbort)
      node.stopListening = () => signal.removeEventListener('abort', onAbort)
    }
  }

  #remove(node: Node<T>): void {
    this.#line.remove(node)
    node.timer?.cancel()
    node.stopListening?.()
  }
}
