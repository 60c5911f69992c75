import { BufferOverflowError } from '../../errors.ts'
import { requireFunction, requireInteger } from '../../require.ts'
import { Ring } from '../../ring.ts'
import { Demand, requireArgument, warnOfBrokenRule } from './demand.ts'
import { refuseSubscriber } from './flow-publisher.ts'
import type { Processor, Subscriber, Subscription } from './types.ts'

/** What a buffered processor takes. */
export interface BufferedProcessorOptions {
  /** Elements held at most. From 1. Default 100. */
  readonly bufferSize?: number
  /** Requested when it is subscribed. From 1 to `bufferSize`. Default 10, or that. */
  readonly firstRequest?: number
  /** Requested at a time after that. From 1 to `bufferSize`. Default 10, or that. */
  readonly refill?: number
  /**
   * Requests more while less than this is held or on its way. From 1 to `bufferSize - refill + 1`. Default 50, or that.
   */
  readonly refillBelow?: number
}

/** What `inspect()` of a buffered processor returns. */
export interface BufferedProcessorState {
  /** Elements that are held. */
  readonly buffered: number
  /** Requested from upstream and not yet there. */
  readonly outstanding: number
  /** Requested by downstream and not yet given. */
  readonly demand: number
}

type End = { readonly error: unknown } | 'complete'

/**
 * A processor between one publisher and one subscriber: holds what came, works on it one by one as far as the
 * subscriber requests, and requests more itself so that what is held and on its way never passes the buffer. A failure
 * or the end comes after what is held; what the work throws cancels upstream and fails downstream.
 */
export class BufferedProcessor<In, Out> implements Processor<In, Out> {
  readonly #work: (value: In) => Out | PromiseLike<Out>
  readonly #bufferSize: number
  readonly #firstRequest: number
  readonly #refill: number
  readonly #refillBelow: number
  readonly #buffer = new Ring<In>()
  readonly #demand = new Demand()
  #outstanding = 0
  #upstream: Subscription | undefined
  #downstream: Subscriber<Out> | undefined
  #hadDownstream = false
  #end: End | undefined
  #isWorking = false
  #isOver = false

  constructor(work: (value: In) => Out | PromiseLike<Out>, options: BufferedProcessorOptions = {}) {
    this.#work = requireFunction('work', work)
    this.#bufferSize = requireInteger('bufferSize', options.bufferSize ?? 100, { min: 1 })
    const most = { min: 1, max: this.#bufferSize }
    this.#firstRequest = requireInteger('firstRequest', options.firstRequest ?? Math.min(10, this.#bufferSize), most)
    this.#refill = requireInteger('refill', options.refill ?? Math.min(10, this.#bufferSize), most)
    const highest = this.#bufferSize - this.#refill + 1
    this.#refillBelow = requireInteger('refillBelow', options.refillBelow ?? Math.min(50, highest), {
      min: 1,
      max: highest,
    })
  }

  /** Called by the publisher (Reactive Streams 1.9). */
  onSubscribe(subscription: Subscription): void {
    requireArgument('subscription', subscription)
    if (this.#upstream || this.#end || this.#isOver) return subscription.cancel()
    this.#upstream = subscription
    this.#request(this.#firstRequest)
  }

  /** Called by the publisher, with an element that was requested. */
  onNext(value: In): void {
    requireArgument('value', value)
    if (this.#isOver || this.#end) return
    if (this.#outstanding === 0) {
      this.#cancelUpstream()
      this.#end = { error: new BufferOverflowError(this.#bufferSize) }
      return void this.#drain()
    }
    this.#outstanding--
    this.#buffer.push(value)
    this.#refillBuffer()
    void this.#drain()
  }

  /** Called by the publisher: it failed. */
  onError(error: unknown): void {
    requireArgument('error', error)
    this.#finishUpstream({ error })
  }

  /** Called by the publisher: it has no more. */
  onComplete(): void {
    this.#finishUpstream('complete')
  }

  /** Takes the one subscriber. */
  subscribe(subscriber: Subscriber<Out>): void {
    requireArgument('subscriber', subscriber)
    if (this.#hadDownstream) return refuseSubscriber(subscriber, 'A processor has one subscriber')
    this.#hadDownstream = true
    this.#downstream = subscriber
    const subscription = { request: (count: number) => this.#onRequest(count), cancel: () => this.#cancel() }
    this.#signal((downstream) => downstream.onSubscribe(subscription))
    void this.#drain()
  }

  inspect(): BufferedProcessorState {
    return { buffered: this.#buffer.length, outstanding: this.#outstanding, demand: this.#demand.count }
  }

  #onRequest(count: number): void {
    if (this.#isOver) return
    try {
      this.#demand.add(count)
    } catch (error) {
      this.#cancelUpstream()
      return this.#finish({ error })
    }
    void this.#drain()
  }

  #cancel(): void {
    this.#isOver = true
    this.#downstream = undefined
    this.#buffer.clear()
    this.#cancelUpstream()
  }

  /** One element at a time: signals are serial though the work may be asynchronous. */
  async #drain(): Promise<void> {
    if (this.#isWorking || !this.#downstream) return
    this.#isWorking = true
    try {
      while (!this.#isOver && this.#buffer.length > 0 && this.#demand.take()) {
        const value = this.#buffer.shift() as In
        this.#refillBuffer()
        const result = await this.#work(value)
        requireArgument('result', result)
        this.#signal((downstream) => downstream.onNext(result))
      }
      if (this.#end && this.#buffer.length === 0) this.#finish(this.#end)
    } catch (error) {
      this.#cancelUpstream()
      this.#finish({ error })
    } finally {
      this.#isWorking = false
    }
  }

  #refillBuffer(): void {
    while (this.#upstream && this.#buffer.length + this.#outstanding < this.#refillBelow) this.#request(this.#refill)
  }

  #request(count: number): void {
    this.#outstanding += count
    try {
      this.#upstream?.request(count)
    } catch (error) {
      warnOfBrokenRule('3.16', error)
    }
  }

  #finishUpstream(end: End): void {
    this.#upstream = undefined
    this.#end ??= end
    void this.#drain()
  }

  #cancelUpstream(): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    try {
      upstream?.cancel()
    } catch (error) {
      warnOfBrokenRule('3.15', error)
    }
  }

  #finish(end: End): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#buffer.clear()
    this.#signal((downstream) => (end === 'complete' ? downstream.onComplete() : downstream.onError(end.error)))
    this.#downstream = undefined
  }

  #signal(send: (downstream: Subscriber<Out>) => void): void {
    if (!this.#downstream) return
    try {
      send(this.#downstream)
    } catch (error) {
      this.#cancel()
      warnOfBrokenRule('2.13', error)
    }
  }
}
