/**
 * The interfaces of Reactive Streams 1.0.4 (https://www.reactive-streams.org). The numbers of its rules stand in the
 * tests, one test a rule.
 */
export interface Publisher<T> {
  subscribe(subscriber: Subscriber<T>): void
}

export interface Subscriber<T> {
  onSubscribe(subscription: Subscription): void
  onNext(value: T): void
  onError(error: unknown): void
  onComplete(): void
}

export interface Subscription {
  /** At least 1; from 2 ** 53 on, or Infinity: without bound. */
  request(count: number): void
  cancel(): void
}

export interface Processor<In, Out> extends Subscriber<In>, Publisher<Out> {}
