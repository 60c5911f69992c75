import type { Output } from '../consumer/commit-route.ts'
import type { RouteParts } from '../consumer/consumer.ts'
import type { Failure, FailureRoute, Next } from '../consumer/failure-route.ts'
import { DeadLetterRoute } from '../failure/dead-letter-route.ts'
import { type DeadLetterRecord, type DeadLetterWriter, untilDone } from '../failure/dead-letter-writer.ts'
import { RetryRoute } from '../failure/retry-route.ts'
import { rawTopic } from '../topic.ts'
import type { OutputTopics } from './output-topics.ts'

export interface PipeRouteOptions extends RouteParts {
  readonly topics: OutputTopics
}

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
  #writerInto(outputs: Output[], topics: DeadLetterWriter): Pick<DeadLetterWriter, 'write'> {
    return {
      write: async (record, signal, onFailure) => {
        const { clock } = this.#options
        outputs.push(await untilDone(() => this.#encode(record, topics), { clock, signal, onFailure }))
      },
    }
  }

  async #encode({ partition, ...record }: DeadLetterRecord, topics: DeadLetterWriter): Promise<Output> {
    const { name, partitions } = await topics.prepare(record.topic)
    const known = this.#options.topics
    if (!known.isKnown(name)) await known.look(name)
    const place = partition >= 0 && partition < partitions.length ? { partition } : {}
    const { key, value, headers, timestampMs = this.#options.clock.now() } = record
    return known.encode(rawTopic(name), { key, value, headers, timestampMs, ...place }, Math.floor(timestampMs))
  }
}
