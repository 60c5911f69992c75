import { requireInteger, Ring, messageOf } from '@sluice/flow/internal'
import type { Delivery } from '../record/record.ts'

/** What `sendAll` takes beside the records. */
export interface SendAllOptions {
  /** Records that were sent and whose delivery was not taken from the iteration yet, at least 1. Default 256. */
  readonly maxInFlight?: number | undefined
  /** Ends the iteration with the signal's reason. What was sent before settles by itself. */
  readonly signal?: AbortSignal | undefined
}

/** The producer as `sendAll` sees it. */
export interface RecordSink<T> {
  /** Waits for room until the signal is aborted. */
  send(record: T, signal: AbortSignal): Promise<Delivery>
  /** Resolves when everybody who waits for room now has got it, or has gone. Undefined: nobody waits. */
  admission(): Promise<void> | undefined
  isThrottled(): boolean
  ready(signal: AbortSignal): Promise<void>
  /** Somebody waits for deliveries: no batch need wait for more records. */
  hurry(): void
}

/** Where `sendAll` takes records from. */
export type RecordSource<T> = Iterable<T> | AsyncIterable<T>

/**
 * Sends what a source has, pulling only as deliveries are taken and the queue has room. Deliveries come in the order of
 * the source. The first record that fails ends the iteration with its error, and the source is pulled no more.
 */
export async function* sendAll<T>(
  sink: RecordSink<T>,
  source: RecordSource<T>,
  { maxInFlight = 256, signal }: SendAllOptions = {},
): AsyncGenerator<Delivery, void, undefined> {
  requireInteger('maxInFlight', maxInFlight, { min: 1 })
  signal?.throwIfAborted()
  const feed = new Feed(sink, source, maxInFlight)
  const onAbort = (): void => feed.stop(signal!.reason as Error)
  signal?.addEventListener('abort', onAbort, { once: true })
  void feed.run()
  try {
    for (let delivery = await feed.next(); delivery; delivery = await feed.next()) yield delivery
  } finally {
    signal?.removeEventListener('abort', onAbort)
    feed.stop(new Error('the iteration was left'))
  }
}

/** One record in flight, and what became of it. */
interface InFlight {
  delivery: Delivery | undefined
  error: unknown
  isSettled: boolean
}

/** Two loops that meet at a ring: one pulls records and sends them, the other takes deliveries, in order. */
class Feed<T> {
  readonly #sink: RecordSink<T>
  readonly #source: RecordSource<T>
  readonly #maxInFlight: number
  readonly #inFlight = new Ring<InFlight>()
  readonly #stopped = new AbortController()
  #isEnded = false
  #sourceFailure: { readonly error: unknown } | undefined
  #wakeReader = (): void => {}
  #wakeFeeder = (): void => {}
  #leaveLine = (): void => {}

  constructor(sink: RecordSink<T>, source: RecordSource<T>, maxInFlight: number) {
    this.#sink = sink
    this.#source = source
    this.#maxInFlight = maxInFlight
  }

  /** Never rejects: `next` tells what went wrong. */
  async run(): Promise<void> {
    try {
      await this.#pull()
    } catch (error) {
      const { aborted, reason } = this.#stopped.signal
      if (!aborted) this.#sourceFailure = { error }
      else if (error !== reason)
        process.emitWarning(`A source failed after it was left: ${messageOf(error)}`, { code: 'SLUICE_LEFT_SOURCE' })
    }
    this.#isEnded = true
    this.#sink.hurry()
    this.#wakeReader()
  }

  /** Undefined: the source is at its end, and every delivery was taken. */
  async next(): Promise<Delivery | undefined> {
    for (;;) {
      if (this.#stopped.signal.aborted) throw this.#stopped.signal.reason
      const head = this.#inFlight.peek()
      if (head?.isSettled) return this.#take(head)
      if (!head && this.#isEnded) return this.#end()
      await new Promise<void>((resolve) => (this.#wakeReader = resolve))
    }
  }

  stop(reason: Error): void {
    this.#stopped.abort(reason)
    this.#wakeFeeder()
    this.#leaveLine()
    this.#wakeReader()
  }

  async #pull(): Promise<void> {
    const { signal } = this.#stopped
    const isAsync = Symbol.asyncIterator in this.#source
    const iterator = isAsync ? this.#source[Symbol.asyncIterator]() : this.#source[Symbol.iterator]()
    let isOpen = true
    try {
      while (!signal.aborted) {
        if (this.#inFlight.length >= this.#maxInFlight) await this.#room()
        if (this.#sink.isThrottled()) await this.#sink.ready(signal)
        // A source that breaks has ended by itself.
        isOpen = false
        // A source that is not asynchronous is pulled without a turn of the microtask queue a record.
        const step = iterator.next()
        const { done, value } = isAsync ? await step : (step as IteratorResult<T>)
        if (done) return
        isOpen = true
        if (signal.aborted) break
        this.#watch(this.#sink.send(value, signal))
        const admission = this.#sink.admission()
        if (admission) await this.#unlessStopped(admission)
      }
    } finally {
      if (isOpen) await iterator.return?.()
    }
  }

  /** Until a quarter of the places is free, so that the two loops do not wake each other for every record. */
  async #room(): Promise<void> {
    this.#sink.hurry()
    await new Promise<void>((resolve) => (this.#wakeFeeder = resolve))
  }

  async #unlessStopped(admission: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#leaveLine = resolve
      void admission.then(resolve)
    })
  }

  #watch(sent: Promise<Delivery>): void {
    const record: InFlight = { delivery: undefined, error: undefined, isSettled: false }
    this.#inFlight.push(record)
    const settle = (): void => {
      record.isSettled = true
      if (record === this.#inFlight.peek()) this.#wakeReader()
    }
    void sent.then(
      (delivery) => {
        record.delivery = delivery
        settle()
      },
      (error: unknown) => {
        record.error = error
        settle()
      },
    )
  }

  #take({ delivery, error }: InFlight): Delivery {
    this.#inFlight.shift()
    if (this.#inFlight.length <= this.#maxInFlight * 0.75) this.#wakeFeeder()
    if (delivery) return delivery
    throw error
  }

  #end(): undefined {
    if (this.#sourceFailure) throw this.#sourceFailure.error
  }
}
