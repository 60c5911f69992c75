import { type Clock } from '@sluice/flow'
import { Ring } from '@sluice/flow/internal'
import type { OutgoingRecord, TargetTopic } from '@sluice/kafka'
import type { Logger } from 'pino'
import type { Ledger } from './ledger.ts'
import type { Pace } from './pace.ts'

const RETRY_MS = 1_000
/** Records made at a time: bounds what a long pause can bring. */
const MAX_MADE = 1_000

/** The part of a producer that is used. Its queue bounds what is in flight. */
export interface QueueingProducer {
  readonly throttled: boolean
  ready(): Promise<void>
  send<K, V>(topic: TargetTopic<K, V>, record: OutgoingRecord<K, V>): Promise<unknown>
}

/** An event before it is sent, and the id that its acknowledgement is written down with. */
export interface Made<V> {
  readonly id: string
  readonly record: OutgoingRecord<string | null, V>
}

export interface OutflowOptions<V> {
  readonly topic: TargetTopic<string | null, V>
  readonly producer: QueueingProducer
  /** The pace from now on. */
  readonly pace: () => Pace
  /** Makes up to so many events; none while the cache is empty. */
  readonly make: (count: number) => Promise<readonly Made<V>[]>
  readonly ledger: Pick<Ledger, 'append'> | undefined
  readonly clock: Clock
  readonly log: Logger
  /** Ends it: what was made is still delivered. */
  readonly signal: AbortSignal
}

interface InFlight {
  readonly id: string
  outcome: 'open' | 'acknowledged' | 'failed'
}

/** Events of one topic: made at their pace, sent as the producer has room, written down when acknowledged. */
export class Outflow<V> {
  readonly #options: OutflowOptions<V>
  /** In the order in which they were sent, which is the ledger's order too. */
  readonly #inFlight = new Ring<InFlight>()
  readonly #broken = Promise.withResolvers<never>()
  #isBroken = false
  #hasGivenUp = false
  #onIdle = (): void => {}
  #acknowledged = 0
  #failed = 0
  #waitingFor: string | undefined

  constructor(options: OutflowOptions<V>) {
    this.#options = options
    // Whoever runs it is told.
    this.#broken.promise.catch(() => undefined)
  }

  /** @returns when it was stopped and all is settled; @throws what no further attempt can mend */
  async run(): Promise<void> {
    const { signal, clock } = this.#options
    try {
      while (!signal.aborted) {
        await Promise.race([this.#generate(), this.#broken.promise])
        if (this.#hasGivenUp) await clock.sleep(RETRY_MS, signal).catch(() => undefined)
        this.#hasGivenUp = false
      }
    } finally {
      await this.#idle()
    }
    if (this.#isBroken) await this.#broken.promise
  }

  inspect() {
    return {
      acknowledged: this.#acknowledged,
      failed: this.#failed,
      inFlight: this.#inFlight.length,
      waitingFor: this.#waitingFor,
    }
  }

  /** Until it is stopped or a record was given up; what is in flight by then is waited for and written down all the same. */
  async #generate(): Promise<void> {
    const { signal, pace, producer } = this.#options
    const goesOn = (): boolean => !signal.aborted && !this.#hasGivenUp && !this.#isBroken
    for await (const due of pace()) {
      for (let left = due; left > 0 && goesOn(); left -= MAX_MADE) {
        for (const made of await this.#makeSome(Math.min(left, MAX_MADE))) {
          while (producer.throttled) await producer.ready()
          this.#send(made)
        }
      }
      if (!goesOn()) return
    }
  }

  #send({ id, record }: Made<V>): void {
    const { producer, topic } = this.#options
    const sent: InFlight = { id, outcome: 'open' }
    this.#inFlight.push(sent)
    void producer.send(topic, record).then(
      () => this.#settle(sent, 'acknowledged'),
      (error: unknown) => {
        this.#giveUp(error)
        this.#settle(sent, 'failed')
      },
    )
  }

  #settle(settled: InFlight, outcome: 'acknowledged' | 'failed'): void {
    settled.outcome = outcome
    for (let head = this.#inFlight.peek(); head && head.outcome !== 'open'; head = this.#inFlight.peek()) {
      this.#inFlight.shift()
      if (head.outcome === 'acknowledged') this.#writeDown(head.id)
      else this.#failed++
    }
    if (this.#inFlight.length === 0) this.#onIdle()
  }

  #writeDown(id: string): void {
    this.#acknowledged++
    try {
      this.#options.ledger?.append(id)
    } catch (error) {
      this.#break(error)
    }
  }

  #giveUp(error: unknown): void {
    if (!isDeliveryFailure(error)) return this.#break(error)
    const { log, topic } = this.#options
    // One line for those that fail together.
    if (!this.#hasGivenUp) log.error({ err: error, topic: topic.name }, 'records were given up')
    this.#hasGivenUp = true
  }

  #break(error: unknown): void {
    this.#isBroken = true
    this.#broken.reject(error)
  }

  async #idle(): Promise<void> {
    if (this.#inFlight.length === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onIdle = resolve
    await promise
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
