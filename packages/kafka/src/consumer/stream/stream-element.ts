import type { Acknowledgeable } from '@sluice/flow'
import type { HandlerContext } from '../dispatch/invocation.ts'

/** A record on its way through a stream. Of `ack` and `fail` the first counts; until then it holds the commit. */
export class StreamElement<R> implements Acknowledgeable {
  readonly record: R
  readonly #context: HandlerContext
  readonly #settle: (failure?: { readonly cause: unknown }) => void
  /** Elements that became one with this. */
  #included: StreamElement<R>[] = []
  #isSettled = false

  /** @internal */
  constructor(record: R, context: HandlerContext, settle: (failure?: { readonly cause: unknown }) => void) {
    this.record = record
    this.#context = context
    this.#settle = settle
  }

  /** 1 for the first time that the record is given out. */
  get attempt(): number {
    return this.#context.attempt
  }

  /** Aborted when the record is to be given up, such as when its partition was taken away: an ack comes too late then. */
  get signal(): AbortSignal {
    return this.#context.signal
  }

  /** The record is handled. */
  ack(): void {
    this.#end()
  }

  /** The record could not be handled: it goes the way of those whose handler fails (another attempt, a dead letter). */
  fail(error: unknown): void {
    this.#end({ cause: error })
  }

  /** Another value that carries this element's ack on. */
  carry<V>(value: V): Carrier<V> {
    return { value, ack: () => this.ack(), fail: (error) => this.fail(error) }
  }

  /** For what merges elements: whatever becomes of this one becomes of that one too. */
  including(other: StreamElement<R>): this {
    this.#included.push(other)
    return this
  }

  #end(failure?: { readonly cause: unknown }): void {
    if (this.#isSettled) return
    this.#isSettled = true
    // A long chain of merged elements would exhaust the stack.
    const all: StreamElement<R>[] = [this]
    for (const one of all) {
      all.push(...one.#included)
      one.#included = []
      if (one === this || !one.#isSettled) one.#settle(failure)
      one.#isSettled = true
    }
  }
}

/** A value that was made of a record, with its ack. */
export interface Carrier<V> extends Acknowledgeable {
  readonly value: V
}
