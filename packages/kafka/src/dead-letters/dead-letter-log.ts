import { RateLimiter, type Clock } from '@sluice/flow'
import { requireInteger, requireNumber, requireOneOf } from '@sluice/flow/internal'
import { Admin } from '../admin/admin.ts'
import { defaultLimits, limitsOfCopies } from '../batch/decode.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { OffsetPlace } from '../record/places.ts'
import { Reader } from '../reader/reader.ts'
import type { ReadFrom } from '../reader/options.ts'
import { rawTopic, requireTopicName, type RawTopic } from '../record/topic.ts'
import { readDeadLetter } from '../failure/dead-letter-headers.ts'
import { DeadLetterWriter } from './dead-letter-writer.ts'
import { type DeadLetterRecord } from '../failure/dead-letter-record.ts'
import type { LetterOptions, WrittenLetter } from './deliver-letter.ts'
import { type FoundLetter, type LetterFilter, Replay, type ReplayOptions, type ReplayReport } from './replay.ts'
import { ReplaySender } from './replay-sender.ts'
import { ReplayTargets } from './replay-targets.ts'
import { deadLetterTopic, isOwnTopic } from '../failure/topic-names.ts'

/** The group whose offsets are the position of a named replay. */
const progressGroup = (source: string, name: string): string => `sluice-replay.${source}.${name}`

/** The dead letters of one topic: to look at, to send back, and to delete. */
export class DeadLetterLog {
  /** The topic that the dead letters lie in. */
  readonly topic: string
  readonly #source: string
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #admin: Admin
  readonly #writer: DeadLetterWriter

  /**
   * @internal
   * @param source the topic that they are from, or that of the dead letters itself
   */
  constructor(cluster: Cluster, clock: Clock, source: string) {
    this.#source = source
    this.topic = isOwnTopic(source) ? source : deadLetterTopic(source)
    this.#cluster = cluster
    this.#clock = clock
    this.#admin = new Admin(cluster, clock)
    this.#writer = new DeadLetterWriter(cluster, clock)
  }

  /**
   * Makes the topic where there is none, with the partitions of the one it is for and room for the headers. Whoever
   * writes dead letters by other means begins with this.
   * @throws what keeps it from being made
   */
  async prepare(): Promise<void> {
    await this.#writer.topics.prepareAsAllowed(this.#source)
  }

  /**
   * Writes a letter, at least once, in the form in which its topic takes it: whole, or without what was refused. What can
   * pass is tried again until the signal comes. `close` ends the producers that it opens.
   * @throws DeadLetterRefusedError for what no attempt can mend; the signal's reason
   */
  async write(letter: Omit<DeadLetterRecord, 'topic'>, options: LetterOptions): Promise<WrittenLetter> {
    return await this.#writer.write({ ...letter, topic: this.#source }, options)
  }

  /** Ends what `write` has opened. */
  async close({ timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    await this.#writer.close(timeoutMs)
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
   * Sends letters back in their order, with their own key, value and headers, and `sluice-replay-count` beside them: to the
   * group that failed, by its retry topic, or to the topic they are from, where every group sees them again. They stay
   * here: purge what was replayed. A replay that is killed may send up to 500 again when it goes on.
   * A letter that its topic will never take is counted as failed and passed over.
   * @throws DeliveryError and the like, for what may pass: what was noted until then is not sent again by a replay of the
   * same name
   */
  async replay(options: ReplayOptions = {}): Promise<ReplayReport> {
    const { to = 'retry', toTopic, name, dryRun = false, ratePerSecond, limit = Infinity, signal } = options
    if (toTopic !== undefined) requireTopicName('toTopic', toTopic)
    requireOneOf('to', to, ['retry', 'origin'])
    if (ratePerSecond !== undefined) requireNumber('ratePerSecond', ratePerSecond, { min: 1 })
    if (limit !== Infinity) requireInteger('limit', limit, { min: 1 })
    const from = name === undefined ? 'earliest' : await this.#positionOf(name)
    await using reader = await this.#open(from)
    await using sender = dryRun ? undefined : new ReplaySender(this.#cluster, this.#clock)
    using rate =
      ratePerSecond === undefined
        ? undefined
        : new RateLimiter({ elements: ratePerSecond, burst: 1, clock: this.#clock })
    const [cluster, admin] = [this.#cluster, this.#admin]
    const targets = new ReplayTargets({ to, toTopic, letters: this.topic, cluster, admin })
    const run = new Replay(options, { targets, clock: this.#clock, sender, rate })
    const settle = async (): Promise<void> => {
      try {
        await run.settle()
      } finally {
        if (name !== undefined && !dryRun) await this.#note(name, run.positions())
      }
    }
    for await (const records of reader.batches()) {
      for (const record of records) {
        signal?.throwIfAborted()
        await run.take(record)
        const isLimited = run.sent >= limit
        if (run.isDue || isLimited) {
          await settle()
          options.onProgress?.(run.report())
        }
        if (isLimited) return run.report()
      }
    }
    await settle()
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
    return await Reader.open(this.#cluster, { topics, from, ...limitsOfCopies(defaultLimits) }, this.#clock)
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
