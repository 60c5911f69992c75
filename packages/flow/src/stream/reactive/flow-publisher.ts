import { SubscribeError } from '../../errors.ts'
import { closeSource, leaveClosing } from '../puller.ts'
import { Demand, requireArgument, warnOfBrokenRule } from './demand.ts'
import type { Publisher, Subscriber, Subscription } from './types.ts'

/** Gives a flow to subscribers; each runs it for itself, as fast as it requests. */
export class FlowPublisher<T> implements Publisher<T> {
  readonly #open: () => AsyncIterator<T, unknown>
  readonly #subscribers = new WeakSet<Subscriber<T>>()

  constructor(open: () => AsyncIterator<T, unknown>) {
    this.#open = open
  }

  subscribe(subscriber: Subscriber<T>): void {
    requireArgument('subscriber', subscriber)
    if (this.#subscribers.has(subscriber)) return refuseSubscriber(subscriber, 'A subscriber can subscribe only once')
    this.#subscribers.add(subscriber)
    new FlowSubscription(this.#open, subscriber).begin()
  }
}

/** Every refusal begins with `onSubscribe` too (rule 1.9). */
export function refuseSubscriber(subscriber: Subscriber<never>, message: string): void {
  try {
    subscriber.onSubscribe({ request: () => {}, cancel: () => {} })
    subscriber.onError(new SubscribeError(message))
  } catch (error) {
    warnOfBrokenRule('2.13', error)
  }
}

class FlowSubscription<T> implements Subscription {
  readonly #open: () => AsyncIterator<T, unknown>
  readonly #demand = new Demand()
  #source: AsyncIterator<T, unknown> | undefined
  /** Forgotten when it is over (rule 3.13). */
  #subscriber: Subscriber<T> | undefined
  #isPulling = false

  constructor(open: () => AsyncIterator<T, unknown>, subscriber: Subscriber<T>) {
    this.#open = open
    this.#subscriber = subscriber
  }

  begin(): void {
    this.#signal((subscriber) => subscriber.onSubscribe(this))
    if (!this.#subscriber) return
    try {
      this.#source = this.#open()
    } catch (error) {
      return this.#finish((subscriber) => subscriber.onError(error))
    }
    void this.#run(this.#source)
  }

  request(count: number): void {
    if (!this.#subscriber) return
    try {
      this.#demand.add(count)
    } catch (error) {
      this.#leave()
      return this.#finish((subscriber) => subscriber.onError(error))
    }
    if (this.#source) void this.#run(this.#source)
  }

  cancel(): void {
    this.#subscriber = undefined
    this.#leave()
  }

  /** One at a time, so signals are serial (rule 1.3); a request from within `onNext` only adds demand (rule 3.3). */
  async #run(source: AsyncIterator<T, unknown>): Promise<void> {
    if (this.#isPulling) return
    this.#isPulling = true
    try {
      while (this.#subscriber && this.#demand.take()) {
        const result = await source.next()
        if (result.done) return this.#finish((subscriber) => subscriber.onComplete())
        requireArgument('element', result.value)
        this.#signal((subscriber) => subscriber.onNext(result.value))
      }
    } catch (error) {
      this.#leave()
      this.#finish((subscriber) => subscriber.onError(error))
    } finally {
      this.#isPulling = false
    }
  }

  #signal(send: (subscriber: Subscriber<T>) => void): void {
    if (!this.#subscriber) return
    try {
      send(this.#subscriber)
    } catch (error) {
      this.cancel()
      warnOfBrokenRule('2.13', error)
    }
  }

  #finish(send: (subscriber: Subscriber<T>) => void): void {
    const subscriber = this.#subscriber
    this.#subscriber = undefined
    try {
      if (subscriber) send(subscriber)
    } catch (error) {
      warnOfBrokenRule('2.13', error)
    }
  }

  #leave(): void {
    const source = this.#source
    this.#source = undefined
    if (source) leaveClosing(closeSource(source))
  }
}
