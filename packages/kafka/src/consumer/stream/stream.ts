import { ClosedError, ConfigError, InvariantError } from '@sluice/flow'
import { Ring } from '@sluice/flow/internal'
import type { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { HandlerContext, Invocation } from '../dispatch/invocation.ts'
import { StreamElement } from './stream-element.ts'

/** What a stream needs of its consumer. */
export interface StreamHost<R> {
  /** Joins the group; called once. Settles when the consumer is closed. */
  begin(handler: (record: R, context: HandlerContext) => unknown, hasDemand: () => boolean): Promise<void>
  /** Somebody asks for a record. */
  demanded(): void
  close(): Promise<unknown>
}

/** Elements that are out, beyond which those that the group has taken away are looked for. */
const firstSweep = 1_024

/**
 * The records of a consumer, each with its ack, taken only as they are asked for. What was given out and not yet acked
 * holds the commit and its place in the gate.
 */
export class ConsumerStream<R extends ConsumerRecord> implements AsyncIterableIterator<StreamElement<R>, undefined> {
  readonly #host: StreamHost<R>
  readonly #asking = new Ring<PromiseWithResolvers<IteratorResult<StreamElement<R>, undefined>>>()
  readonly #out = new Map<StreamElement<R>, Invocation>()
  #sweepAt = firstSweep
  #state: 'new' | 'open' | 'running' | 'over' = 'new'
  #failure: Error | undefined

  /** @internal */
  constructor(host: StreamHost<R>) {
    this.#host = host
  }

  /** Once: its records belong to one reader. */
  [Symbol.asyncIterator](): this {
    if (this.#state !== 'new') throw new ConfigError('stream', 'iterated again', 'iterated once for each consumer')
    this.#state = 'open'
    return this
  }

  /** The next record, as soon as there is one. */
  next(): Promise<IteratorResult<StreamElement<R>, undefined>> {
    if (this.#state === 'over') return this.#ended()
    const asked = Promise.withResolvers<IteratorResult<StreamElement<R>, undefined>>()
    this.#asking.push(asked)
    if (this.#state !== 'running') this.#begin()
    this.#host.demanded()
    return asked.promise
  }

  /** Closes the consumer. What is out is not handled, and comes again to whoever reads its partition next. */
  async return(): Promise<IteratorResult<StreamElement<R>, undefined>> {
    this.end()
    const closing = this.#host.close()
    const reason = new ClosedError('the stream')
    for (const element of this.#out.keys()) element.fail(reason)
    this.#out.clear()
    await closing
    return { done: true, value: undefined }
  }

  /** @internal For the consumer: no more records come. What is out can still be acked. */
  end(): void {
    this.#state = 'over'
    for (let asked = this.#asking.shift(); asked !== undefined; asked = this.#asking.shift()) {
      this.#ended().then(asked.resolve, asked.reject)
    }
  }

  #begin(): void {
    this.#state = 'running'
    const handler = (record: R, context: HandlerContext): unknown => this.#give(record, context as Invocation)
    this.#host
      .begin(handler, () => this.#asking.length > 0)
      .then(
        () => this.end(),
        (error: unknown) => {
          this.#failure = error as Error
          this.end()
        },
      )
  }

  #give(record: R, invocation: Invocation): Promise<void> {
    const asked = this.#asking.shift()
    if (asked === undefined) throw new InvariantError('A record was given to a stream that nobody reads', {})
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const settle = (error?: { readonly cause: unknown }): void => {
      this.#out.delete(element)
      if (error === undefined) resolve()
      else reject(error.cause)
    }
    const element = new StreamElement(record, invocation, settle)
    this.#out.set(element, invocation)
    if (this.#out.size >= this.#sweepAt) this.#sweep()
    asked.resolve({ done: false, value: element })
    return promise
  }

  /** Those that the group took away, and nobody waits for any more. */
  #sweep(): void {
    for (const [element, { abandoned }] of this.#out) if (abandoned) this.#out.delete(element)
    this.#sweepAt = Math.max(firstSweep, this.#out.size * 2)
  }

  /** The failure once, then the end. */
  #ended(): Promise<IteratorResult<StreamElement<R>, undefined>> {
    const failure = this.#failure
    this.#failure = undefined
    return failure === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(failure)
  }
}
