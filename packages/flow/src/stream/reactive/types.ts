/**
 * The interfaces of Reactive Streams 1.0.4 (https://www.reactive-streams.org). The numbers of its rules stand in the
 * tests, one test a rule.
 */
export interface Publisher<T> {
  /** Gives the subscriber a subscription, then elements as it requests them. */
  subscribe(subscriber: Subscriber<T>): void
}

/** Takes elements from a publisher, as many as it requests (Reactive Streams 2). */
export interface Subscriber<T> {
  /** The first call: nothing comes until it requests. */
  onSubscribe(subscription: Subscription): void
  /** An element that was requested. */
  onNext(value: T): void
  /** The last call: the publisher failed. */
  onError(error: unknown): void
  /** The last call: there are no more. */
  onComplete(): void
}

/** The link between a publisher and one subscriber (Reactive Streams 3). */
export interface Subscription {
  /** At least 1; from 2 ** 53 on, or Infinity: without bound. */
  request(count: number): void
  /** Takes no more elements. */
  cancel(): void
}

/** Both a subscriber and a publisher (Reactive Streams 4). */
export interface Processor<In, Out> extends Subscriber<In>, Publisher<Out> {}
