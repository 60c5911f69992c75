import { RateLimiter, requireInteger, requireNumber, type Clock } from '@sluice/flow'
import { Admin } from '../admin/admin.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { bytes } from '../codecs/bytes.ts'
import type { ConsumerRecord } from '../consumer/consumer-record.ts'
import type { OffsetPlace } from '../consumer/events.ts'
import { Producer } from '../producer/producer.ts'
import { Reader } from '../reader/reader.ts'
import type { ReadFrom } from '../reader/options.ts'
import { topic } from '../topic.ts'
import { type DeadLetter, isDeadLetterHeader, readDeadLetter, deadLetterHeader } from './dead-letter-headers.ts'
import { deadLetterTopic, isOwnTopic } from './topic-names.ts'

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
  /** By topic: how many went there. */
  readonly to: Readonly<Record<string, number>>
  /** Everything below was replayed or passed over: what may be purged. */
  readonly positions: readonly OffsetPlace[]
}

/** Sent together and acknowledged before the position is noted: what a replay that is killed may send again. */
const chunkRecords = 500
/** The group whose offsets are the position of a named replay. */
const progressGroup = (source: string, name: string): string => `sluice-replay.${source}.${name}`

/** The dead letters of one topic: to look at, to send back, and to delete. */
export class DeadLetterLog {
  /** The topic that the dead letters lie in. */
  readonly topic: string
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #admin: Admin

  /** @param source the topic that they are from, or that of the dead letters itself */
  constructor(cluster: Cluster, clock: Clock, source: string) {
    this.topic = isOwnTopic(source) ? source : deadLetterTopic(source)
    this.#cluster = cluster
    this.#clock = clock
    this.#admin = new Admin(cluster, clock)
  }

  /** From the oldest of each partition to the end there is now. @throws BrokerError where the topic does not exist */
  async *list({ where, from }: LetterFilter & { readonly from?: ReadFrom } = {}): AsyncGenerator<FoundLetter, void> {
    await using reader = await this.#open(from)
    for await (const record of reader) {
      const found = { record, letter: readDeadLetter(record.headers) }
      if (where === undefined || where(found)) yield found
    }
  }

  /**
   * Sends letters back to the topic and partition they are from, in their order, with their own key, value and headers,
   * and `replay-count` beside them. Every group that reads that topic sees them again. They stay here: purge
   * what was replayed. A replay that is killed may send up to 500 again when it goes on.
   * @throws DeliveryError and the like: what was noted until then is not sent again by a replay of the same name
   */
  async replay(options: ReplayOptions = {}): Promise<ReplayReport> {
    const { name, dryRun = false, ratePerSecond, limit = Infinity, signal } = options
    if (ratePerSecond !== undefined) requireNumber('ratePerSecond', ratePerSecond, { min: 1 })
    if (limit !== Infinity) requireInteger('limit', limit, { min: 1 })
    const from = name === undefined ? 'earliest' : await this.#positionOf(name)
    await using reader = await this.#open(from)
    await using producer = dryRun ? undefined : await Producer.open(this.#cluster, { ...replaying, clock: this.#clock })
    using rate =
      ratePerSecond === undefined
        ? undefined
        : new RateLimiter({ elements: ratePerSecond, burst: 1, clock: this.#clock })
    const run = new Replay(options, this.#cluster, producer, rate)
    for await (const records of reader.batches()) {
      for (const record of records) {
        signal?.throwIfAborted()
        await run.take(record)
        if (run.isDue || run.replayed >= limit) {
          await run.settle()
          options.onProgress?.(run.report())
          if (name !== undefined && !dryRun) await this.#note(name, run.positions())
        }
        if (run.replayed >= limit) return run.report()
      }
    }
    await run.settle()
    if (name !== undefined && !dryRun) await this.#note(name, run.positions())
    return run.report()
  }

  /** Deletes all letters, or those below these positions. Nobody can bring them back. */
  async purge(positions?: readonly OffsetPlace[]): Promise<void> {
    const places = positions ?? (await this.#admin.offsets([this.topic], 'latest'))
    const before = places.map(({ partition, offset }) => ({ topic: this.topic, partition, offset }))
    await this.#admin.deleteRecords(before)
  }

  async #open(from: ReadFrom = 'earliest'): Promise<Reader<RawTopic>> {
    const topics = [rawTopic(this.topic)]
    return await Reader.open(this.#cluster, { topics, from }, this.#clock)
  }

  async #positionOf(name: string): Promise<ReadFrom> {
    const committed = await this.#admin.committedOffsets(progressGroup(this.topic, name))
    const known = new Map(committed.map(({ partition, offset }) => [partition, offset]))
    const starts = await this.#admin.offsets([this.topic], 'earliest')
    const offsets = starts.map(({ partition, offset }) => {
      return { topic: this.topic, partition, offset: Math.max(offset, known.get(partition) ?? 0) }
    })
    return { offsets }
  }

  async #note(name: string, positions: readonly OffsetPlace[]): Promise<void> {
    if (positions.length > 0) await this.#admin.alterOffsets(progressGroup(this.topic, name), positions)
  }
}

const rawTopic = (name: string) => topic(name, { key: bytes, value: bytes })
type RawTopic = ReturnType<typeof rawTopic>

const largest = 64 * 1_048_576
/** A record that is sent again has its headers. */
const replaying = {
  addHeaders: false,
  maxRecordBytes: largest,
  maxRequestBytes: largest,
  queue: { maxBytes: 2 * largest },
}

/** One replay: what it has sent and not heard of yet, and what it has done. */
class Replay {
  readonly #options: ReplayOptions
  readonly #cluster: Cluster
  /** By topic: how many partitions it has. */
  readonly #sizes = new Map<string, number>()
  readonly #producer: Producer | undefined
  readonly #rate: RateLimiter | undefined
  readonly #positions = new Map<number, OffsetPlace>()
  readonly #to: Record<string, number> = {}
  #sending: Promise<unknown>[] = []
  #sinceSettled = 0
  #counts = { read: 0, replayed: 0, filtered: 0, unknown: 0, unreadable: 0 }

  constructor(options: ReplayOptions, cluster: Cluster, producer: Producer | undefined, rate: RateLimiter | undefined) {
    this.#options = options
    this.#cluster = cluster
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

  async #sizeOf(name: string): Promise<number> {
    const known = this.#sizes.get(name)
    if (known !== undefined) return known
    await this.#cluster.refresh([name])
    const size = this.#cluster.topic(name)?.partitions.length ?? 0
    this.#sizes.set(name, size)
    return size
  }

  async #send(record: FoundLetter['record'], letter: DeadLetter): Promise<void> {
    const { signal } = this.#options
    this.#counts.replayed++
    this.#to[letter.topic] = (this.#to[letter.topic] ?? 0) + 1
    if (this.#producer === undefined) return
    await this.#rate?.acquire({ signal })
    const { key, value } = record
    const headers = replayHeaders(record, letter)
    if (this.#producer.throttled) await this.#producer.ready(signal)
    const isThere = letter.partition >= 0 && letter.partition < (await this.#sizeOf(letter.topic))
    const partition = isThere ? { partition: letter.partition } : {}
    const sent = this.#producer.send(rawTopic(letter.topic), { key, value, headers, ...partition })
    // `settle` tells of it.
    sent.catch(() => {})
    this.#sending.push(sent)
  }
}

/** Its time of now, or retention would take an old one away before it is read: its own time stays as a header. */
function replayHeaders({ headers }: FoundLetter['record'], { replays, timestampMs }: DeadLetter) {
  const own = [...headers].filter(([name]) => !isDeadLetterHeader(name))
  const time = timestampMs < 0 ? [] : [[deadLetterHeader.timestampMs, String(timestampMs)] as const]
  return [...own, ...time, [deadLetterHeader.replays, String(replays + 1)] as const]
}
