import type { Clock } from '../clock.ts'
import { ConfigError } from '../errors.ts'
import { isPublisher, publisherSource } from '../reactive/publisher-source.ts'
import type { Publisher } from '../reactive/types.ts'
import { Channel } from './channel.ts'
import { closeSource, leaveClosing, warnOfFailedClose } from './puller.ts'

/** What a flow can start from: also Node and web streams, which are async iterables. */
export type FlowSource<T> = AsyncIterable<T> | Iterable<T> | Publisher<T>

/** Opens a source of any kind. */
export function openSource<T>(source: FlowSource<T>): AsyncIterator<T, unknown> {
  if (has(source, Symbol.asyncIterator))
    return new LeavableIterator((source as AsyncIterable<T>)[Symbol.asyncIterator]())
  if (has(source, Symbol.iterator)) return new SyncIterator((source as Iterable<T>)[Symbol.iterator]())
  return publisherSource(source as Publisher<T>)
}

/** The source, if a flow can start from it. */
export function requireSource<T>(source: FlowSource<T>): FlowSource<T> {
  if (has(source, Symbol.asyncIterator) || has(source, Symbol.iterator) || isPublisher(source)) return source
  throw new ConfigError('source', source, 'an iterable, an async iterable, a stream or a publisher')
}

function has(source: unknown, method: symbol): boolean {
  return typeof (source as Record<symbol, unknown> | null | undefined)?.[method] === 'function'
}

const done: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/** An iterator that can be left while it is busy: whoever waits gets the end at once, though the iterator may hang. */
class LeavableIterator<T> implements AsyncIterator<T, undefined> {
  readonly #source: AsyncIterator<T, unknown>
  #waiting: PromiseWithResolvers<IteratorResult<T, undefined>> | undefined
  #isOver = false

  constructor(source: AsyncIterator<T, unknown>) {
    this.#source = source
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return Promise.resolve(done)
    const waiting = Promise.withResolvers<IteratorResult<T, undefined>>()
    this.#waiting = waiting
    try {
      this.#source.next().then(this.#onResult, this.#onRejection)
    } catch (error) {
      this.#onRejection(error)
    }
    return waiting.promise
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return done
    this.#isOver = true
    const isBusy = this.#waiting !== undefined
    this.#waiting?.resolve(done)
    const closing = closeSource(this.#source)
    if (isBusy) leaveClosing(closing)
    else await closing
    return done
  }

  readonly #onResult = (result: IteratorResult<T, unknown>): void => {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (result.done) this.#isOver = true
    waiting?.resolve(result.done ? done : result)
  }

  readonly #onRejection = (error: unknown): void => {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (this.#isOver) return warnOfFailedClose(error)
    this.#isOver = true
    waiting?.reject(error)
  }
}

class SyncIterator<T> implements AsyncIterator<T, undefined> {
  readonly #source: Iterator<T, unknown>
  /** One that was left may well go on, as an array's iterator does. */
  #isOver = false

  constructor(source: Iterator<T, unknown>) {
    this.#source = source
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return Promise.resolve(done)
    try {
      const result = this.#source.next()
      return Promise.resolve(result.done ? done : result)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return done
    this.#isOver = true
    this.#source.return?.()
    return done
  }
}

/** The value at every interval, from the first pull on. A tick that nobody waits for is left out. */
export function tickSource<T>(intervalMs: number, value: T, clock: Clock): AsyncIterator<T, undefined> {
  let dueMs: number | undefined
  const arm = (): void => {
    const nowMs = clock.monotonicMs()
    dueMs = (dueMs ?? nowMs) + intervalMs
    // Far behind (the process stood still): on from here, not one tick after the other.
    if (dueMs < nowMs) dueMs = nowMs + intervalMs
    timer = clock.setTimeout(() => {
      arm()
      if (out.demand > 0) out.push(value)
    }, dueMs - nowMs)
  }
  let timer = { cancel: (): void => {} }
  const out = new Channel<T>({
    onPull: () => {
      if (dueMs === undefined) arm()
    },
    onCancel: () => timer.cancel(),
  })
  return out
}
