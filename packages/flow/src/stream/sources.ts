import { ReadableStream } from 'node:stream/web'
import type { Clock } from '../clock.ts'
import { ConfigError } from '../errors.ts'
import { isPublisher, publisherSource } from './reactive/publisher-source.ts'
import type { Publisher } from './reactive/types.ts'
import { Channel } from './channel.ts'
import { closeSource, leaveClosing, warnOfFailedClose } from './puller.ts'
import { SerialIterator } from './serial.ts'

/** What a flow can start from: also Node and web streams, which are async iterables. */
export type FlowSource<T> = AsyncIterable<T> | Iterable<T> | Publisher<T>

/** Opens a source of any kind. */
export function openSource<T>(source: FlowSource<T>): AsyncIterator<T, unknown> {
  if (source instanceof ReadableStream) return new LeavableIterator(readerOf(source as ReadableStream<T>))
  if (has(source, Symbol.asyncIterator)) {
    const iterator = (source as AsyncIterable<T>)[Symbol.asyncIterator]()
    return new LeavableIterator(iterator, isNodeStream(source) ? () => source.destroy() : undefined)
  }
  if (has(source, Symbol.iterator)) return new SyncIterator((source as Iterable<T>)[Symbol.iterator]())
  return publisherSource(source as Publisher<T>)
}

/** The source, if a flow can start from it. */
export function requireSource<T>(source: FlowSource<T>): FlowSource<T> {
  if (has(source, Symbol.asyncIterator) || has(source, Symbol.iterator) || isPublisher(source)) return source
  throw new ConfigError('source', source, 'an iterable, an async iterable, a stream or a publisher')
}

function has(source: unknown, method: symbol | string): boolean {
  return typeof (source as Record<symbol | string, unknown> | null | undefined)?.[method] === 'function'
}

/** Not by its class: there are streams of other packages too. */
function isNodeStream(source: unknown): source is { destroy(): void } {
  return has(source, 'pipe') && has(source, 'destroy')
}

const done: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/** A web stream's own iterator cannot be left while it waits for an element; its reader can. */
function readerOf<T>(stream: ReadableStream<T>): AsyncIterator<T, unknown> {
  const reader = stream.getReader()
  return {
    async next() {
      let isOver = true
      try {
        const result = await reader.read()
        isOver = result.done
        return result.done ? done : result
      } finally {
        if (isOver) reader.releaseLock()
      }
    },
    async return() {
      await reader.cancel().finally(() => reader.releaseLock())
      return done
    },
  }
}

/** An iterator that can be left while it is busy: whoever waits gets the end at once, though the iterator may hang. */
class LeavableIterator<T> extends SerialIterator<T> {
  readonly #source: AsyncIterator<T, unknown>
  readonly #interrupt: (() => void) | undefined
  #waiting: PromiseWithResolvers<IteratorResult<T, undefined>> | undefined
  #isOver = false

  /** `interrupt` ends what a busy source waits for; without it the source may go on until its next element. */
  constructor(source: AsyncIterator<T, unknown>, interrupt?: () => void) {
    super()
    this.#source = source
    this.#interrupt = interrupt
  }

  protected ask(): Promise<IteratorResult<T, undefined>> {
    const waiting = (this.#waiting = Promise.withResolvers<IteratorResult<T, undefined>>())
    if (this.#isOver) this.#answer()?.resolve(done)
    else this.#askSource()
    return waiting.promise
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return done
    this.#isOver = true
    const waiting = this.#answer()
    waiting?.resolve(done)
    const closing = closeSource(this.#source)
    if (waiting === undefined) await closing
    else {
      leaveClosing(closing)
      this.#interrupt?.()
    }
    return done
  }

  #askSource(): void {
    try {
      this.#source.next().then(this.#onResult, this.#onRejection)
    } catch (error) {
      this.#onRejection(error)
    }
  }

  /** Who is to be answered now; nobody where it was left meanwhile. */
  #answer(): PromiseWithResolvers<IteratorResult<T, undefined>> | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting) this.answered()
    return waiting
  }

  readonly #onResult = (result: IteratorResult<T, unknown>): void => {
    if (result.done) this.#isOver = true
    this.#answer()?.resolve(result.done ? done : result)
  }

  readonly #onRejection = (error: unknown): void => {
    const wasOver = this.#isOver
    this.#isOver = true
    this.#answer()?.reject(error)
    // An interrupted source says that it was interrupted.
    if (wasOver && this.#interrupt === undefined) warnOfFailedClose(error)
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
      this.#isOver = true
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
