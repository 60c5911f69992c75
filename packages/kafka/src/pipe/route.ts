import type { Compression } from '../batch/batch.ts'
import type { Output } from '../outgoing/output.ts'
import type { RouteParts } from '../consumer/consumer.ts'
import type { Failure, FailureRoute, Next } from '../consumer/failure/failure-route.ts'
import { DeadLetterRoute } from '../consumer/failure/dead-letter-route.ts'
import type { DeadLetterWriter } from '../dead-letters/dead-letter-writer.ts'
import type { DeadLetterRecord } from '../failure/dead-letter-record.ts'
import { deliverLetter, type LetterWay } from '../dead-letters/deliver-letter.ts'
import type { LetterTopics } from '../dead-letters/letter-topics.ts'
import { RetryRoute } from '../consumer/failure/retry-route.ts'
import { rawTopic } from '../record/topic.ts'
import type { OutputTopics } from '../transactions/output-topics.ts'

export interface PipeRouteOptions extends RouteParts {
  readonly topics: OutputTopics
  /** Of outputs. */
  readonly compression: Compression
}

/** A letter's time is left out so near to the limits of its topic: it is written only with the next transaction. */
const timeMarginMs = 60_000

/**
 * The ways of a consumer for records that fail, but dead letters and what is to be retried are not written there and
 * then: they are handed back, to be committed in the transaction that finishes the record.
 */
export class PipeRoute implements FailureRoute {
  readonly #options: PipeRouteOptions
  readonly #standard: FailureRoute

  constructor(options: PipeRouteOptions) {
    this.#options = options
    this.#standard = this.#routeInto([])
  }

  next(failure: Failure): Next {
    return this.#standard.next(failure)
  }

  async divert(failure: Failure, signal: AbortSignal): Promise<readonly Output[]> {
    const outputs: Output[] = []
    await this.#routeInto(outputs).divert(failure, signal)
    return outputs
  }

  #routeInto(outputs: Output[]): FailureRoute {
    const { deadLetters, retries, ...shared } = this.#options
    const inner = new DeadLetterRoute({ ...shared, writer: this.#writerInto(outputs, deadLetters) })
    return retries === undefined
      ? inner
      : new RetryRoute({ ...shared, inner, writer: this.#writerInto(outputs, retries) })
  }

  /** Of the writer only the topics are used: it makes them where there are none. */
  #writerInto(outputs: Output[], { topics }: DeadLetterWriter): Pick<DeadLetterWriter, 'write'> {
    return {
      write: async (record, options) => {
        const { signal, onVisible } = options
        const way: LetterWay<Output> = {
          clock: this.#options.clock,
          nameOf: topics.nameOf,
          send: (letter) => this.#encode(letter, topics, signal),
          widen: async (source, form) => {
            const isWidened = await topics.makeRoom(source, form)
            if (isWidened) await this.#options.topics.look(topics.nameOf(source), signal)
            return isWidened
          },
        }
        const { sent, letter, again } = await deliverLetter(record, way, options)
        const withHooks = (output: Output): Output => ({
          ...output,
          again: async (error) => withHooks(await again(error)),
          remake: () => topics.remake(record.topic),
          onCommitted: onVisible && (() => onVisible(letter)),
        })
        outputs.push(withHooks(sent))
        return letter
      },
    }
  }

  async #encode(letter: DeadLetterRecord, topics: LetterTopics, signal: AbortSignal): Promise<Output> {
    const { clock, topics: known } = this.#options
    const { topic: source, partition, compression = this.#options.compression, ...record } = letter
    const { name, partitions } = await topics.prepareAsAllowed(source)
    if (!known.isKnown(name)) await known.look(name, signal)
    const place = partition >= 0 && partition < partitions.length ? { partition } : {}
    const options = { nowMs: Math.floor(clock.now()), compression, marginMs: timeMarginMs }
    return { ...known.encode(rawTopic(name), { ...record, ...place }, options), compression }
  }
}
