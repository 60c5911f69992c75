import { messageOf, nameOf } from '@sluice/flow/internal'
import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../events.ts'
import { LaneRetries, type Failure, type FailureRoute, type Next } from './failure-route.ts'
import type { ConsumerSettings, DeadLetterListener } from '../options.ts'
import { DecodeError } from '../../errors.ts'
import { isInstance } from '../../is-instance.ts'
import { deadLetterHeaders, replaysOf } from '../../failure/dead-letter-headers.ts'
import type { DeadLetterWriter } from '../../dead-letters/dead-letter-writer.ts'
import { isOwnTopic } from '../../failure/topic-names.ts'

export interface DeadLetterRouteOptions {
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly writer: Pick<DeadLetterWriter, 'write'>
}

/** Tries again in the lane; what fails for good becomes a dead letter, and is finished once that is in the log. */
export class DeadLetterRoute implements FailureRoute {
  readonly #options: DeadLetterRouteOptions
  readonly #retries: LaneRetries

  constructor(options: DeadLetterRouteOptions) {
    this.#options = options
    this.#retries = new LaneRetries(options.settings)
  }

  next(failure: Failure): Next {
    return this.#retries.next(failure)
  }

  async divert(failure: Failure, signal: AbortSignal): Promise<void> {
    // Dead letters of dead letters would only go in circles.
    if (isOwnTopic(failure.records[0]!.topic)) return await this.#retries.divert(failure)
    await Promise.all(failure.records.map((record) => this.#bury(record, failure, signal)))
  }

  async #bury(record: ConsumerRecord, failure: Failure, signal: AbortSignal): Promise<void> {
    const { writer, events, clock, settings } = this.#options
    const { topic, partition, offset, timestampMs, rawKey, rawValue } = record
    const { attempt, error } = failure
    const compression = ConsumerRecord.compressionOf(record) ?? failure.compression
    const place = { topic, partition, offset }
    const headers = deadLetterHeaders(record.headers, {
      ...place,
      timestampMs,
      group: settings.group,
      attempts: attempt,
      stage: isInstance(error, DecodeError) ? 'decode' : 'handler',
      errorClass: nameOf(error),
      errorMessage: messageOf(error),
      failedAtMs: Math.floor(clock.now()),
      outcome: null,
      replays: replaysOf(record.headers),
    })
    const letter = { topic, partition, key: rawKey, value: rawValue, headers, timestampMs }
    await writer.write(compression ? { ...letter, compression } : letter, {
      signal,
      oversize: settings.oversize,
      onFailure: (cause) => events.emit('deadLetterFailed', { ...place, error: cause }),
      onVisible: ({ to, omitted }) => {
        events.emit('deadLettered', { ...place, to, attempts: attempt, error, omitted })
        if (settings.onDeadLetter) void this.#tell(settings.onDeadLetter, record, error)
      },
    })
  }

  /** What is thrown there breaks nothing here. */
  async #tell(listener: DeadLetterListener, record: ConsumerRecord, error: unknown): Promise<void> {
    try {
      await listener(record, error)
    } catch (cause) {
      this.#options.events.emit('error', { during: 'dead_letter', error: cause })
    }
  }
}
