import { Ring, type Clock } from '@sluice/flow'
import type { OutgoingRecord, Topic } from '@sluice/kafka'
import type { Logger } from 'pino'
import type { Ledger } from './ledger.ts'
import type { Pace } from './pace.ts'

const RETRY_MS = 1_000
/** Records made at a time: bounds what a long pause can bring. */
const MAX_MADE = 1_000

/** The part of a producer that is used: bounded, and acknowledgements in the order of the records. */
export interface OrderedProducer {
  sendAll<K, V>(
    topic: Topic<K, V>,
    source: AsyncIterable<OutgoingRecord<K, V>>,
    options: { readonly maxInFlight: number },
  ): AsyncIterable<unknown>
}

/** An event before it is sent, and the id that its acknowledgement is written down with. */
export interface Made<V> {
  readonly id: string
  readonly record: OutgoingRecord<string | null, V>
}

export interface OutflowOptions<V> {
  readonly topic: Topic<string | null, V>
  readonly producer: OrderedProducer
  /** The pace from now on. */
  readonly pace: () => Pace
  /** Makes up to so many events; none while the cache is empty. */
  readonly make: (count: number) => Promise<readonly Made<V>[]>
  readonly ledger: Ledger | undefined
  readonly maxInFlight: number
  readonly clock: Clock
  readonly log: Logger
  /** Ends it: what was made is still delivered. */
  readonly signal: AbortSignal
}

/** Events of one topic: made at their pace, sent as the producer has room, written down when acknowledged. */
export class Outflow<V> {
  readonly #options: OutflowOptions<V>
  /** Ids sent and not acknowledged yet, in the order of both; a new one for each attempt, see `#source`. */
  #inFlight = new Ring<string>()
  #acknowledged = 0
  #failed = 0
  #waitingFor: string | undefined

  constructor(options: OutflowOptions<V>) {
    this.#options = options
  }

  /** @returns when it was stopped and all is settled; @throws what no further attempt can mend */
  async run(): Promise<void> {
    const { signal, clock, log, topic } = this.#options
    while (!signal.aborted) {
      try {
        await this.#send()
      } catch (error) {
        // What was not acknowledged by now is not in the ledger, whatever became of it.
        this.#failed += this.#inFlight.length
        if (!isDeliveryFailure(error)) throw error
        log.error({ err: error, topic: topic.name }, 'records were given up')
        await clock.sleep(RETRY_MS, signal).catch(() => undefined)
      }
    }
  }

  inspect() {
    return {
      acknowledged: this.#acknowledged,
      failed: this.#failed,
      inFlight: this.#inFlight.length,
      waitingFor: this.#waitingFor,
    }
  }

  async #send(): Promise<void> {
    const { producer, topic, maxInFlight, ledger } = this.#options
    const inFlight = (this.#inFlight = new Ring<string>())
    for await (const _delivery of producer.sendAll(topic, this.#source(inFlight), { maxInFlight })) {
      const id = inFlight.shift()
      this.#acknowledged++
      if (id !== undefined) ledger?.append(id)
    }
  }

  /** A source that was left in the middle of a pause still ends its turn: its ids must not get among its successor's. */
  async *#source(inFlight: Ring<string>): AsyncGenerator<OutgoingRecord<string | null, V>, void, undefined> {
    const { signal, pace } = this.#options
    for await (const due of pace()) {
      for (let left = due; left > 0 && !signal.aborted; left -= MAX_MADE) {
        for (const { id, record } of await this.#makeSome(Math.min(left, MAX_MADE))) {
          inFlight.push(id)
          yield record
        }
      }
    }
  }

  /** Without a cache there is nothing to make events of: says so and waits. */
  async #makeSome(count: number): Promise<readonly Made<V>[]> {
    const { make, log, clock, signal } = this.#options
    let waitingFor = 'the cache, which is empty'
    try {
      const made = await make(count)
      if (made.length > 0) {
        this.#waitingFor = undefined
        return made
      }
    } catch (error) {
      waitingFor = 'Redis'
      if (this.#waitingFor !== waitingFor) log.warn({ err: error }, 'the cache cannot be read')
    }
    this.#waitingFor = waitingFor
    await clock.sleep(RETRY_MS, signal).catch(() => undefined)
    return []
  }
}

/** A record that was given up, or shed: the next ones can still arrive. */
function isDeliveryFailure(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && (error.code === 'delivery_failed' || error.code === 'backpressure')
  )
}
