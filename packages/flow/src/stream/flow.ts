import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { requireRate } from '../rate/token-bucket.ts'
import type { RateLimiterOptions } from '../rate/token-bucket.ts'
import { FlowPublisher } from './reactive/flow-publisher.ts'
import type { Publisher } from './reactive/types.ts'
import { requireFunction, requireInteger, requireNumber, requireOneOf } from '../require.ts'
import { dropListener, dropSilently, type OnDrop } from './dropping.ts'
import { buffer, overflows } from './operators/buffer.ts'
import type { Overflow } from './operators/buffer.ts'
import { batch } from './operators/conflate.ts'
import { flatMap, flatMapSequential } from './operators/flat-map.ts'
import { groupedWithin } from './operators/grouped-within.ts'
import { mapAsync } from './operators/map-async.ts'
import type { AsyncMapper } from './operators/map-async.ts'
import { retry } from './operators/retry.ts'
import type { RetryOptions } from './operators/retry.ts'
import { skip, StepsIterator } from './operators/steps.ts'
import type { Step } from './operators/steps.ts'
import { TakeIterator } from './operators/take.ts'
import { delayElements, throttle } from './operators/timing.ts'
import { zip } from './operators/zip.ts'
import { closeSource, leaveClosing } from './puller.ts'
import { forEach } from './sinks.ts'
import type { SinkOptions } from './sinks.ts'
import { openSource, requireSource, tickSource } from './sources.ts'
import type { FlowSource } from './sources.ts'

/** What a flow takes beside its source. */
export interface FlowOptions {
  readonly clock?: Clock
}

/** How many inner sources are read at once, and how far ahead. */
export interface FlatMapConcurrency {
  /** Inner sources open at a time. Default 256. */
  readonly concurrency?: number
}

type Open<T> = () => AsyncIterator<T, unknown>

/**
 * A stream of elements that moves only as fast as its end takes them. A flow is a description: nothing runs before a
 * consumer asks, and each consumer starts it anew. An operator holds no more elements than its documentation says.
 * Leaving it (an abort, an error, a `break`) closes every source and leaves no timer.
 */
export class Flow<T> implements AsyncIterable<T> {
  readonly #source: Open<unknown>
  /** Steps without waiting, run together. */
  readonly #steps: readonly Step[]
  readonly #clock: Clock

  private constructor(source: Open<unknown>, clock: Clock, steps: readonly Step[] = []) {
    this.#source = source
    this.#clock = clock
    this.#steps = steps
  }

  /** From an iterable, an async iterable, a Node stream, a web stream or a Reactive Streams publisher. */
  static from<T>(source: FlowSource<T>, { clock = systemClock }: FlowOptions = {}): Flow<T> {
    if (source instanceof Flow) return source
    requireSource(source)
    return new Flow<T>(() => openSource(source), clock)
  }

  /** The value at every interval; a tick that finds the consumer busy is left out. */
  static tick<T>(intervalMs: number, value: T, { clock = systemClock }: FlowOptions = {}): Flow<T> {
    requireNumber('intervalMs', intervalMs, { min: 1 })
    return new Flow<T>(() => tickSource(intervalMs, value, clock), clock)
  }

  /** Whole numbers from `first`, so many of them. */
  static range(first: number, count: number, options: FlowOptions = {}): Flow<number> {
    requireInteger('first', first)
    requireInteger('count', count, { min: 0 })
    return Flow.from({ [Symbol.iterator]: () => rangeIterator(first, count) }, options)
  }

  /** Each element, changed. */
  map<R>(mapper: (value: T) => R): Flow<R> {
    return this.#step(requireFunction('mapper', mapper))
  }

  /** Elements that wait for an ack need to be told `onDrop`. */
  filter<S extends T>(isWanted: (value: T) => value is S, onDrop?: OnDrop<T>): Flow<S>
  filter(isWanted: (value: T) => boolean, onDrop?: OnDrop<T>): Flow<T>
  filter(isWanted: (value: T) => boolean, onDrop?: OnDrop<T>): Flow<T> {
    requireFunction('isWanted', isWanted)
    const drop = onDrop === undefined ? dropSilently : dropListener(onDrop)
    return this.#step((value: T) => {
      if (isWanted(value)) return value
      drop(value)
      return skip
    })
  }

  /** Sees each element on its way, without waiting. */
  tap(look: (value: T) => unknown): Flow<T> {
    requireFunction('look', look)
    return this.#step((value: T) => {
      look(value)
      return value
    })
  }

  /** The first so many; the source is closed with the last of them. */
  take(count: number): Flow<T> {
    requireInteger('count', count, { min: 0 })
    return this.#then((source) => new TakeIterator(source, count))
  }

  /** Up to `concurrency` calls at a time, results in order. The signal aborts when the flow is left. */
  mapAsync<R>(concurrency: number, mapper: AsyncMapper<T, R>): Flow<R> {
    requireInteger('concurrency', concurrency, { min: 1 })
    requireFunction('mapper', mapper)
    return this.#then((source) => mapAsync(source, mapper, { concurrency, isOrdered: true }))
  }

  /** As `mapAsync`, results as they come. */
  mapAsyncUnordered<R>(concurrency: number, mapper: AsyncMapper<T, R>): Flow<R> {
    requireInteger('concurrency', concurrency, { min: 1 })
    requireFunction('mapper', mapper)
    return this.#then((source) => mapAsync(source, mapper, { concurrency, isOrdered: false }))
  }

  /** The elements of up to `concurrency` inner sources, as they come. */
  flatMap<R>(mapper: (value: T) => FlowSource<R>, { concurrency = 256 }: FlatMapConcurrency = {}): Flow<R> {
    requireInteger('concurrency', concurrency, { min: 1 })
    requireFunction('mapper', mapper)
    return this.#then((source) => flatMap(source, { open: (value) => openInner(mapper(value)), concurrency }))
  }

  /** As `flatMap`, in the order of the outer elements; later ones are read ahead by up to `prefetch` each. */
  flatMapSequential<R>(
    mapper: (value: T) => FlowSource<R>,
    { concurrency = 256, prefetch = 32 }: FlatMapConcurrency & { readonly prefetch?: number } = {},
  ): Flow<R> {
    requireInteger('concurrency', concurrency, { min: 1 })
    requireInteger('prefetch', prefetch, { min: 1 })
    requireFunction('mapper', mapper)
    const open = (value: T): AsyncIterator<R, unknown> => openInner(mapper(value))
    return this.#then((source) => flatMapSequential(source, { open, concurrency, prefetch }))
  }

  /** Up to `size` elements between this and what follows. A policy that drops tells `onDrop` of each. */
  buffer(size: number, overflow: Overflow = 'backpressure', onDrop?: OnDrop<T>): Flow<T> {
    requireInteger('size', size, { min: 1 })
    requireOneOf('overflow', overflow, overflows)
    const isDropping = overflow.startsWith('drop')
    const drop = isDropping || onDrop !== undefined ? dropListener(onDrop as OnDrop<T>) : undefined
    return this.#then((source) => buffer(source, { size, overflow, onDrop: drop }))
  }

  /**
   * Takes from the source as it comes and holds up to `size`. Without a listener more than that is an error (after what
   * is held), as in Reactor; with one, elements are dropped and told: the newest, or the oldest where that is wanted.
   */
  onBackpressureBuffer(
    size: number,
    onDrop?: OnDrop<T>,
    overflow: 'drop-newest' | 'drop-oldest' = 'drop-newest',
  ): Flow<T> {
    return this.buffer(size, onDrop ? overflow : 'fail', onDrop)
  }

  /** Takes from the source as it comes and drops, telling, what arrives while nobody waits. */
  onBackpressureDrop(onDrop: OnDrop<T>): Flow<T> {
    const drop = dropListener(onDrop)
    return this.#then((source) => buffer(source, { size: 0, overflow: 'drop-newest', onDrop: drop }))
  }

  /** Reads ahead by up to `count`, asking for more when three quarters of that are used. Default 256. */
  limitRate(count = 256): Flow<T> {
    requireInteger('count', count, { min: 1 })
    return this.#then((source) => buffer(source, { size: count, overflow: 'backpressure', refillAt: count >> 2 }))
  }

  /** Each element so much later than it came, one after the other. */
  delayElements(delayMs: number): Flow<T> {
    requireNumber('delayMs', delayMs, { min: 0 })
    return this.#then((source) => delayElements(source, { delayMs, clock: this.#clock }))
  }

  /** No faster than the rate: shaping (default) delays, enforcing fails with a `RateLimitError`. */
  throttle(rate: Omit<RateLimiterOptions, 'clock' | 'maxWaiting'>): Flow<T> {
    const required = requireRate(rate)
    return this.#then((source) => throttle(source, { ...required, clock: this.#clock }))
  }

  /** While the consumer is slower, elements become one. */
  conflate(aggregate: (aggregate: T, value: T) => T): Flow<T> {
    return this.batch(Infinity, (value) => value, aggregate)
  }

  /** While the consumer is slower, up to `max` elements become one aggregate. */
  batch<A>(max: number, seed: (value: T) => A, aggregate: (aggregate: A, value: T) => A): Flow<A> {
    requireInteger('max', max, { min: 1, max: Infinity })
    requireFunction('seed', seed)
    requireFunction('aggregate', aggregate)
    return this.#then((source) => batch(source, { max, seed, aggregate }))
  }

  /** Groups of `size`, or of what came within `withinMs` of a group's first element. */
  groupedWithin(size: number, withinMs: number): Flow<readonly T[]> {
    requireInteger('size', size, { min: 1 })
    requireNumber('withinMs', withinMs, { min: 1 })
    return this.#then((source) => groupedWithin(source, { size, withinMs, clock: this.#clock }))
  }

  /** Pairs, until the first of the two ends. */
  zip<U>(other: FlowSource<U>): Flow<readonly [T, U]> {
    requireSource(other)
    return this.#then((source) => zip(source, openInner(other)))
  }

  /** The elements of all, as they come. */
  merge<U>(...others: readonly FlowSource<U>[]): Flow<T | U> {
    const sources: readonly FlowSource<T | U>[] = [this, ...others.map((other) => requireSource(other))]
    return Flow.from(sources, { clock: this.#clock }).flatMap((source) => source, { concurrency: sources.length })
  }

  /** Starts anew when what is before it fails. */
  retry(options: RetryOptions = {}): Flow<T> {
    requireInteger('retries', options.retries ?? 3, { min: 0, max: Infinity })
    if (options.isRetryable) requireFunction('isRetryable', options.isRetryable)
    if (typeof options.delayMs !== 'object') requireNumber('delayMs', options.delayMs ?? 0, { min: 0 })
    return new Flow<T>(() => retry(() => this.#open(), { ...options, clock: this.#clock }), this.#clock)
  }

  /** Through a piece of flow that was put together elsewhere. */
  via<R>(part: (flow: Flow<T>) => Flow<R>): Flow<R> {
    return requireFunction('part', part)(this)
  }

  /** Runs the flow; waits for what `consume` returns before it takes the next. */
  forEach(consume: (value: T) => unknown, options?: SinkOptions): Promise<void> {
    requireFunction('consume', consume)
    return forEach(() => this.#open(), consume, options)
  }

  /** Runs the flow and keeps everything: only for what is known to be small. */
  async toArray(options?: SinkOptions): Promise<T[]> {
    const all: T[] = []
    await this.forEach((value) => void all.push(value), options)
    return all
  }

  /** A Node stream in object mode, which pulls as it is read. */
  toNodeStream(): Readable {
    return Readable.from(this)
  }

  /** A web stream, which pulls as it is read. */
  toWebStream(): ReadableStream<T> {
    return ReadableStream.from(this)
  }

  /** As a Reactive Streams publisher: each subscriber runs the flow for itself. */
  toPublisher(): Publisher<T> {
    return new FlowPublisher(() => this.#open())
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return this.#open() as AsyncIterator<T, undefined>
  }

  #open(): AsyncIterator<T, unknown> {
    const source = this.#source()
    return this.#steps.length > 0 ? new StepsIterator<T>(source, this.#steps) : (source as AsyncIterator<T, unknown>)
  }

  #step<R>(step: (value: T) => unknown): Flow<R> {
    return new Flow<R>(this.#source, this.#clock, [...this.#steps, step])
  }

  #then<R>(operator: (source: AsyncIterator<T, unknown>) => AsyncIterator<R, unknown>): Flow<R> {
    const open = (): AsyncIterator<R, unknown> => {
      const source = this.#open()
      try {
        return operator(source)
      } catch (error) {
        leaveClosing(closeSource(source))
        throw error
      }
    }
    return new Flow<R>(open, this.#clock)
  }
}

function openInner<R>(source: FlowSource<R>): AsyncIterator<R, unknown> {
  if (source instanceof Flow) return source[Symbol.asyncIterator]()
  return openSource(requireSource(source))
}

function* rangeIterator(first: number, count: number): Generator<number, void, undefined> {
  for (let index = 0; index < count; index++) yield first + index
}
