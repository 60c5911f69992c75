import type { Clock, RateLimiter } from '@sluice/flow'
import type { ConsumerRecord } from '../consumer/consumer-record.ts'
import type { OffsetPlace } from '../consumer/events.ts'
import type { Producer } from '../producer/producer.ts'
import { rawTopic } from '../topic.ts'
import { type DeadLetter, originalHeaders, readDeadLetter, replayHeader } from './dead-letter-headers.ts'
import type { ReplayTargets } from './replay-targets.ts'
import { retryHeaders } from './retry-record.ts'

/** A dead letter as it lies in its topic. */
export interface FoundLetter {
  readonly record: ConsumerRecord<Buffer | null, Buffer | null>
  /** What is known of its failure; undefined: it bears no headers that tell. */
  readonly letter: DeadLetter | undefined
}

export interface LetterFilter {
  /** Default: all. */
  readonly where?: ((found: FoundLetter) => boolean) | undefined
}

export interface ReplayOptions extends LetterFilter {
  /**
   * `retry`: to the retry topic of the group that failed, so that no other group sees them again; letters that no group
   * has failed go to the topic they are from. `origin`: all go there. Default `retry`.
   */
  readonly to?: 'retry' | 'origin' | undefined
  /** At most so many a second, from 1. Default: as fast as Kafka takes them. */
  readonly ratePerSecond?: number | undefined
  /** Ends after so many were sent, from 1. */
  readonly limit?: number | undefined
  /** Also those of which nobody knows whether they are in their topic already. Default false: they would double. */
  readonly includeUnknown?: boolean | undefined
  /** A replay of this name goes on where an earlier one has stopped. Default: from the beginning. */
  readonly name?: string | undefined
  /** Counts, and sends nothing. */
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((report: ReplayReport) => void) | undefined
}

export interface ReplayReport {
  readonly read: number
  /** Sent to their topics and acknowledged; with `dryRun` those that would have been. */
  readonly replayed: number
  /** Those that did not fit the filter. */
  readonly filtered: number
  /** Left where they are: it is unknown whether they were written. */
  readonly unknown: number
  /** Left where they are: nothing says which topic they are from. */
  readonly unreadable: number
  /** Left where they are: their group reads no retry topic. */
  readonly withoutRetryTopic: number
  /** By topic: how many went there. */
  readonly to: Readonly<Record<string, number>>
  /** Everything below was replayed or passed over: what may be purged. */
  readonly positions: readonly OffsetPlace[]
}

/** Sent together and acknowledged before the position is noted: what a replay that is killed may send again. */
const chunkRecords = 500

export interface ReplayParts {
  readonly targets: ReplayTargets
  readonly clock: Clock
  /** Undefined: nothing is sent. */
  readonly producer: Producer | undefined
  readonly rate: RateLimiter | undefined
}

/** One replay: what it has sent and not heard of yet, and what it has done. */
export class Replay {
  readonly #options: ReplayOptions
  readonly #targets: ReplayTargets
  readonly #clock: Clock
  readonly #producer: Producer | undefined
  readonly #rate: RateLimiter | undefined
  readonly #positions = new Map<number, OffsetPlace>()
  readonly #to: Record<string, number> = {}
  #sending: Promise<unknown>[] = []
  #sinceSettled = 0
  #counts = { read: 0, replayed: 0, filtered: 0, unknown: 0, unreadable: 0, withoutRetryTopic: 0 }

  constructor(options: ReplayOptions, { targets, clock, producer, rate }: ReplayParts) {
    this.#options = options
    this.#targets = targets
    this.#clock = clock
    this.#producer = producer
    this.#rate = rate
  }

  get isDue(): boolean {
    return this.#sinceSettled >= chunkRecords
  }

  get replayed(): number {
    return this.#counts.replayed
  }

  async take(record: FoundLetter['record']): Promise<void> {
    const letter = readDeadLetter(record.headers)
    this.#counts.read++
    this.#sinceSettled++
    if (this.#options.where !== undefined && !this.#options.where({ record, letter })) this.#counts.filtered++
    else if (letter === undefined || letter.topic === '') this.#counts.unreadable++
    else if (letter.outcome === 'unknown' && this.#options.includeUnknown !== true) this.#counts.unknown++
    else await this.#send(record, letter)
    const { topic: name, partition, offset } = record
    this.#positions.set(partition, { topic: name, partition, offset: offset + 1 })
  }

  /** All that was sent is acknowledged. */
  async settle(): Promise<void> {
    const sending = this.#sending
    this.#sending = []
    this.#sinceSettled = 0
    await Promise.all(sending)
  }

  positions(): readonly OffsetPlace[] {
    return [...this.#positions.values()]
  }

  report(): ReplayReport {
    return { ...this.#counts, to: { ...this.#to }, positions: this.positions() }
  }

  async #send(record: FoundLetter['record'], letter: DeadLetter): Promise<void> {
    const { signal } = this.#options
    const target = await this.#targets.of(letter)
    if (target === undefined) return void this.#counts.withoutRetryTopic++
    this.#counts.replayed++
    this.#to[target.topic] = (this.#to[target.topic] ?? 0) + 1
    if (this.#producer === undefined) return
    await this.#rate?.acquire({ signal })
    const { key, value } = record
    const headers = replayHeaders(record, letter, target.isRetry ? this.#clock.now() : null)
    if (this.#producer.throttled) await this.#producer.ready(signal)
    const partition = target.partition === undefined ? {} : { partition: target.partition }
    const sent = this.#producer.send(rawTopic(target.topic), { key, value, headers, ...partition })
    // `settle` tells of it.
    sent.catch(() => {})
    this.#sending.push(sent)
  }
}

/**
 * Its own, and how often it was replayed. On its way to the retry topic (at `retryAtMs`; null: to where it is from) it is
 * due at once, and handled as the record that it is from. It has the time of now, or retention would take an old one away
 * before it is read: its own time stays as a header.
 */
function replayHeaders({ headers }: FoundLetter['record'], letter: DeadLetter, retryAtMs: number | null) {
  const { replays, timestampMs } = letter
  const own = originalHeaders(headers, letter)
  const time = timestampMs < 0 ? [] : [[replayHeader.timestampMs, String(timestampMs)] as const]
  const sent =
    retryAtMs === null
      ? [...own, ...time]
      : retryHeaders({ ...letter, headers: own }, { topicId: '', attempts: 0, notBeforeMs: Math.floor(retryAtMs) })
  return [...sent, [replayHeader.replays, String(replays + 1)] as const]
}
