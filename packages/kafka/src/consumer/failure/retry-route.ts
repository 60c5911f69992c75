import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { Output } from '../../outgoing/output.ts'
import { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../events.ts'
import { behindRetry, type Failure, type FailureRoute, type Next } from './failure-route.ts'
import type { ConsumerSettings } from '../options.ts'
import type { DeadLetterWriter } from '../../dead-letters/dead-letter-writer.ts'
import { DeadLetterRefusedError } from '../../failure/errors.ts'
import { retryHeaders } from '../../failure/retry-record.ts'

export interface RetryRouteOptions {
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  /** Decides all else, and takes what fails for good. */
  readonly inner: FailureRoute
  /** To the retry topics of the group. */
  readonly writer: Pick<DeadLetterWriter, 'write'>
}

/**
 * Sends records that are to wait for long to the retry topic, and those of their keys behind them. What comes from there
 * and fails again waits in its lane: it is in nobody's way, and its place is kept in the log.
 */
export class RetryRoute implements FailureRoute {
  readonly #options: RetryRouteOptions

  constructor(options: RetryRouteOptions) {
    this.#options = options
  }

  next(failure: Failure): Next {
    if (failure.error === behindRetry) return { again: false }
    const next = this.#options.inner.next(failure)
    // What is put off waits for something that all others wait for too.
    return next.again && next.isPostponed !== true && this.#isForTopic(failure, next.delayMs) ? { again: false } : next
  }

  async divert(failure: Failure, signal: AbortSignal): Promise<readonly Output[] | void> {
    const { inner, events } = this.#options
    const isBehind = failure.error === behindRetry
    const next = isBehind ? ({ again: true, delayMs: 0 } as const) : inner.next(failure)
    if (!next.again) return await inner.divert(failure, signal)
    const { attempt, error, records } = failure
    try {
      await this.#send(failure, isBehind ? 0 : attempt, next.delayMs, signal)
    } catch (refusal) {
      if (!(refusal instanceof DeadLetterRefusedError)) throw refusal
      // The retry topic will never take it: it becomes a dead letter, and says why where nothing else did.
      events.emit('error', { during: 'retry_topic', error: refusal })
      return await inner.divert(isBehind ? { ...failure, error: refusal } : failure, signal)
    }
    if (isBehind) return
    const { topic, partition, offset } = records[0]!
    events.emit('handlerFailed', { topic, partition, offset, attempt, retryInMs: next.delayMs, error })
  }

  #isForTopic({ partition }: Failure, delayMs: number): boolean {
    const { retryTopicAfterMs } = this.#options.settings
    return partition.retries !== undefined && retryTopicAfterMs !== null && delayMs >= retryTopicAfterMs
  }

  async #send({ partition, records }: Failure, attempts: number, delayMs: number, signal: AbortSignal): Promise<void> {
    const notBeforeMs = Math.floor(this.#options.clock.now() + delayMs)
    const facts = { topicId: partition.topicId, attempts, notBeforeMs }
    for (const record of records) {
      const key = this.#options.settings.order === 'key' ? record.rawKey : null
      partition.retries!.add(key)
      try {
        await this.#write(record, retryHeaders(record, facts), signal)
      } catch (error) {
        partition.retries!.remove(key)
        throw error
      }
    }
  }

  async #write(record: ConsumerRecord, headers: ReturnType<typeof retryHeaders>, signal: AbortSignal): Promise<void> {
    const { writer, events } = this.#options
    const { topic, partition, rawKey, rawValue } = record
    const compression = ConsumerRecord.compressionOf(record)
    const copy = { topic, partition, key: rawKey, value: rawValue, headers, ...(compression && { compression }) }
    await writer.write(copy, { signal, onFailure: (error) => events.emit('error', { during: 'retry_topic', error }) })
  }
}
