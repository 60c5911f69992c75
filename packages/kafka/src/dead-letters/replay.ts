import { type Clock, type RateLimiter } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import type { ConsumerRecord } from '../incoming/consumer-record.ts'
import type { OffsetPlace } from '../record/places.ts'
import { type DeadLetter, originalHeaders, readDeadLetter, replayHeader } from '../failure/dead-letter-headers.ts'
import { refusalOf } from '../failure/refusal.ts'
import type { ReplaySender } from './replay-sender.ts'
import type { ReplayTargets } from './replay-targets.ts'
import { retryHeaders } from '../failure/retry-record.ts'

/** A dead letter as it lies in its topic. */
export interface FoundLetter {
  readonly record: ConsumerRecord<Buffer | null, Buffer | null>
  /** What is known of its failure; undefined: it bears no headers that tell. */
  readonly letter: DeadLetter | undefined
}

/** Which dead letters are meant. */
export interface LetterFilter {
  /** Default: all. */
  readonly where?: ((found: FoundLetter) => boolean) | undefined
}

/** What `replay` takes. */
export interface ReplayOptions extends LetterFilter {
  /**
   * `retry`: to the retry topic of the group that failed, so that no other group sees them again; letters that no group
   * has failed go to the topic they are from. `origin`: all go there. Default `retry`.
   */
  readonly to?: 'retry' | 'origin' | undefined
  /**
   * All go to this topic instead, also letters of other topics. Default: only letters of the topic that the dead letters
   * are about are sent. A client that may write letters must not choose where they go.
   */
  readonly toTopic?: string | undefined
  /** Letters sent per second at most, from 1. Default: as fast as Kafka takes them. */
  readonly ratePerSecond?: number | undefined
  /** Ends after this number of letters was sent, from 1. Default: all of them. */
  readonly limit?: number | undefined
  /** Also those of which nobody knows whether they are in their topic already. Default false: they would double. */
  readonly includeUnknown?: boolean | undefined
  /** A replay of this name goes on where an earlier one has stopped. Default: from the beginning. */
  readonly name?: string | undefined
  /** Counts, and sends nothing. */
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called now and then with the report as it is. */
  readonly onProgress?: ((report: ReplayReport) => void) | undefined
}

/** What a replay did. */
export interface ReplayReport {
  /** Letters that were looked at. */
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
  /** Left where they are: they say that they are from another topic than these dead letters are about. */
  readonly foreign: number
  /** Left where they are: they were written without their value, headers or key. */
  readonly incomplete: number
  /** Passed over: their topics do not exist or do not take them. */
  readonly failed: number
  /** The first hundred of these. */
  readonly failures: readonly ReplayFailure[]
  /** By topic: how many went there. */
  readonly to: Readonly<Record<string, number>>
  /** Everything below was replayed or passed over. */
  readonly positions: readonly OffsetPlace[]
}

/** A letter that could not be sent back. */
export interface ReplayFailure {
  readonly partition: number
  readonly offset: number
  /** Where it should have gone. */
  readonly topic: string
  /** Why the letter was not sent. */
  readonly reason: string
}

interface Sending {
  readonly place: OffsetPlace
  readonly to: string
  readonly sent: Promise<void>
}

const toldFailures = 100

/** Sent together and acknowledged before the position is noted: what a replay that is killed may send again. */
const chunkRecords = 500

export interface ReplayParts {
  readonly targets: ReplayTargets
  readonly clock: Clock
  /** Undefined: nothing is sent. */
  readonly sender: ReplaySender | undefined
  readonly rate: RateLimiter | undefined
}

/** One replay: what it has sent and not heard of yet, and what it has done. */
export class Replay {
  readonly #options: ReplayOptions
  readonly #targets: ReplayTargets
  readonly #clock: Clock
  readonly #sender: ReplaySender | undefined
  readonly #rate: RateLimiter | undefined
  readonly #positions = new Map<number, OffsetPlace>()
  /** By partition: the first letter that has to be sent again. */
  readonly #holes = new Map<number, number>()
  readonly #to = new Map<string, number>()
  readonly #failures: ReplayFailure[] = []
  #sending: Sending[] = []
  #sinceSettled = 0
  #counts = {
    read: 0,
    replayed: 0,
    filtered: 0,
    unknown: 0,
    unreadable: 0,
    withoutRetryTopic: 0,
    foreign: 0,
    incomplete: 0,
    failed: 0,
  }

  constructor(options: ReplayOptions, { targets, clock, sender, rate }: ReplayParts) {
    this.#options = options
    this.#targets = targets
    this.#clock = clock
    this.#sender = sender
    this.#rate = rate
  }

  get isDue(): boolean {
    return this.#sinceSettled >= chunkRecords
  }

  /** Those that are on their way as well. */
  get sent(): number {
    return this.#counts.replayed + this.#sending.length
  }

  async take(record: FoundLetter['record']): Promise<void> {
    const letter = readDeadLetter(record.headers)
    this.#counts.read++
    this.#sinceSettled++
    if (this.#options.where !== undefined && !this.#options.where({ record, letter })) this.#counts.filtered++
    else if (letter === undefined || letter.topic === '') this.#counts.unreadable++
    else if (!this.#targets.allows(letter)) this.#counts.foreign++
    else if (letter.omitted?.some((part) => part !== 'error-message')) this.#counts.incomplete++
    else if (letter.outcome === 'unknown' && this.#options.includeUnknown !== true) this.#counts.unknown++
    else await this.#send(record, letter)
    const { topic: name, partition, offset } = record
    this.#positions.set(partition, { topic: name, partition, offset: offset + 1 })
  }

  /**
   * Waits for all that was sent. What its topic will never take is passed over.
   * @throws the first error that may pass: `positions` does not go past its letter
   */
  async settle(): Promise<void> {
    const sending = this.#sending
    this.#sending = []
    this.#sinceSettled = 0
    const results = await Promise.allSettled(sending.map(({ sent }) => sent))
    let failure: Error | undefined
    for (const [index, result] of results.entries()) {
      const { place, to } = sending[index]!
      if (result.status === 'fulfilled') this.#countSent(to)
      else if (isPassedOver(result.reason)) this.#fail(place, to, messageOf(result.reason))
      else {
        failure ??= result.reason as Error
        this.#holes.set(place.partition, Math.min(place.offset, this.#holes.get(place.partition) ?? Infinity))
      }
    }
    if (failure !== undefined) throw failure
  }

  /** Up to the first letter of each partition that has to be sent again. */
  positions(): readonly OffsetPlace[] {
    return Array.from(this.#positions.values(), (place) => {
      return { ...place, offset: Math.min(place.offset, this.#holes.get(place.partition) ?? Infinity) }
    })
  }

  report(): ReplayReport {
    const to = Object.fromEntries(this.#to)
    return { ...this.#counts, failures: [...this.#failures], to, positions: this.positions() }
  }

  async #send(record: FoundLetter['record'], letter: DeadLetter): Promise<void> {
    const { signal } = this.#options
    const target = await this.#targets.of(letter)
    if (target === undefined) return void this.#counts.withoutRetryTopic++
    const { topic: name, partition, offset, value } = record
    const place = { topic: name, partition, offset }
    const { topic, isRetry } = target
    if (target.isMissing) return this.#fail(place, topic, `the topic ${topic} does not exist`)
    if (this.#sender === undefined) return this.#countSent(topic)
    await this.#rate?.acquire({ signal })
    await this.#sender.ready(signal)
    const headers = replayHeaders(record, letter, isRetry ? this.#clock.now() : null)
    const key = letter.isKeyMade ? null : record.key
    const at = target.partition === undefined ? {} : { partition: target.partition }
    const sent = this.#sender.send({ topic, key, value, headers, ...at })
    // `settle` tells of it.
    sent.catch(() => {})
    this.#sending.push({ place, to: topic, sent })
  }

  #countSent(topic: string): void {
    this.#counts.replayed++
    this.#to.set(topic, (this.#to.get(topic) ?? 0) + 1)
  }

  #fail({ partition, offset }: OffsetPlace, topic: string, reason: string): void {
    this.#counts.failed++
    if (this.#failures.length < toldFailures) this.#failures.push({ partition, offset, topic, reason })
  }
}

/** The letter itself is refused, and would be again: it must not keep the others. A right that is missing can be granted. */
function isPassedOver(error: unknown): boolean {
  const refusal = refusalOf(error)
  return refusal !== undefined && refusal !== 'not_allowed'
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
