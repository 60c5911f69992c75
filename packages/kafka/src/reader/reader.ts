import { ClosedError, ConfigError, type Clock } from '@sluice/flow'
import { Emitter, Ring } from '@sluice/flow/internal'
import { committedBatches, type Damage } from '../batch/committed.ts'
import { openBatch } from '../batch/decode.ts'
import { type BatchHeader, type DecodedRecord, type RecordCursor } from '../batch/decoded.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { ConsumerRecord } from '../incoming/consumer-record.ts'
import type { OffsetPlace } from '../record/places.ts'
import { FetchLoops } from '../fetch/fetch-loops.ts'
import type { AnyTopic } from '../record/sources.ts'
import type { RecordOf } from '../incoming/record-of.ts'
import { Signal } from '../async/wakeup.ts'
import { Unreadables, type SkippedRecords } from '../incoming/unreadable.ts'
import type { FetchedPartition } from '../driver/driver.ts'
import { ClusterTimeoutError, HeadersTooLargeError } from '../errors.ts'
import { BadChecksumError } from '../batch/bad-checksum.ts'
import { decodeRecord } from './decode-record.ts'
import { readerLines } from './event-lines.ts'
import type { ReaderEvents } from './events.ts'
import { parseReaderOptions, type ReaderOptions, type ReaderSettings } from './options.ts'
import { Places } from './places.ts'
import { ReadBudget, type ReadAsk } from './read-budget.ts'
import type { ReadPartition } from './read-partition.ts'
import { TopicWatch } from './topic-watch.ts'
import { whySilent } from './why-silent.ts'

/** What `inspect()` of a reader returns. */
export interface ReaderState {
  readonly state: 'open' | 'closed'
  /** How many partitions it reads. */
  readonly partitions: number
  /** Offsets from where it reads to where it ends, over all partitions; null with `follow`, which has no end. */
  readonly left: number | null
  /** Bytes that were fetched ahead. */
  readonly fetchedBytes: number
  /** Topics with records that could not be read and were skipped. */
  readonly unreadable: readonly SkippedRecords[]
}

/** What a fetch brought for one partition, undecoded. */
interface Fetched<T extends AnyTopic> {
  readonly partition: ReadPartition<T>
  readonly generation: number
  readonly buffer: Buffer
  readonly batches: readonly BatchHeader[]
  /** What follows them cannot be read. */
  readonly unreadable: Damage | undefined
  readonly nextOffset: number
}

const CHECK_MS = 1_000
/** A list that is given out: records at most, and what their objects and headers take. */
const LIST_RECORDS = 1_000
const LIST_OBJECT_BYTES = 1_048_576

/**
 * Reads topics without a group: joins nothing and commits nothing, so that nobody else notices. Each partition in its
 * order; partitions as they come. Fetches ahead within `maxBytes` and waits while nobody reads.
 *
 *     for await (const record of reader) ...            or, for speed,        for await (const records of reader.batches()) ...
 */
export class Reader<T extends AnyTopic = AnyTopic> implements AsyncIterable<RecordOf<T>>, AsyncDisposable {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #settings: ReaderSettings<T>
  readonly #places: Places<T>
  readonly #events: Emitter<ReaderEvents>
  readonly #budget: ReadBudget
  readonly #loops: FetchLoops<ReadPartition, ReadAsk>
  readonly #partitions: ReadPartition<T>[] = []
  readonly #fetched = new Ring<Fetched<T>>()
  readonly #signal: Signal
  readonly #topics: TopicWatch<T>
  readonly #unreadables: Unreadables
  /** When a broker last answered. */
  #heardMs = 0
  #lastError: unknown
  #failure: Error | undefined
  readonly #closing = new AbortController()
  #isReading = false

  /**
   * @internal
   * @throws ConfigError; BrokerError for a topic that is not there or may not be read; ConnectionError and the like
   */
  static async open<T extends AnyTopic>(cluster: Cluster, options: ReaderOptions<T>, clock: Clock): Promise<Reader<T>> {
    const settings = parseReaderOptions(options)
    const places = new Places(cluster, clock, settings)
    const reader = new Reader(cluster, settings, clock, places)
    for (const partition of await places.open()) reader.#add(partition)
    return reader
  }

  private constructor(cluster: Cluster, settings: ReaderSettings<T>, clock: Clock, places: Places<T>) {
    this.#cluster = cluster
    this.#clock = clock
    this.#settings = settings
    this.#places = places
    this.#events = new Emitter<ReaderEvents>(cluster.log.observer(readerLines, {}))
    this.#budget = new ReadBudget(settings.maxBytes, () => this.#loops.wake())
    this.#signal = new Signal(clock)
    this.#unreadables = new Unreadables({
      policy: settings.unreadable,
      limits: settings.limits,
      emit: (event) => this.#events.emit('unreadable', event),
    })
    this.#topics = new TopicWatch(cluster, clock, settings)
    this.#loops = new FetchLoops<ReadPartition, ReadAsk>({
      cluster,
      settings,
      clock,
      intake: this.#budget,
      takeIn: (ask, fetched) => this.#take(ask, fetched),
      onTaken: () => this.#signal.notify(),
      onOutOfRange: (partition) => void this.#seek(partition),
      onDiverged: (partition, endOffset) => this.#move(partition, endOffset),
      onError: (during, error) => this.#trouble(during, error),
      onFatal: (error) => this.#fail(error),
    })
  }

  /** Returns the function that takes the listener off again. */
  on<Name extends keyof ReaderEvents>(name: Name, listener: (event: ReaderEvents[Name]) => unknown): () => void {
    return this.#events.on(name, listener)
  }

  /** Where to go on: the next offset of each partition that was not given out yet. As `from.offsets` of another reader. */
  positions(): readonly OffsetPlace[] {
    return this.#partitions.map(({ topicName, partition, delivered }) => ({
      topic: topicName,
      partition,
      offset: delivered,
    }))
  }

  inspect(): ReaderState {
    const left = this.#partitions.reduce((sum, { end, delivered }) => sum + Math.max(0, end - delivered), 0)
    return {
      state: this.#closing.signal.aborted ? 'closed' : 'open',
      partitions: this.#partitions.length,
      left: this.#settings.follow ? null : left,
      fetchedBytes: this.#budget.usedBytes,
      unreadable: this.#unreadables.inspect(),
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RecordOf<T>, void, undefined> {
    for await (const records of this.batches()) yield* records
  }

  /**
   * Records of one batch, 1 to 1,000 at a time. Their bytes are views into it: copy what is to be kept long.
   * Leaving the iteration leaves the reader open: another one goes on behind the last list that was given out.
   * @throws DecodeError, UnreadableBatchError, ClusterTimeoutError, ClosedError, BrokerError
   */
  async *batches(): AsyncGenerator<RecordOf<T>[], void, undefined> {
    if (this.#isReading)
      throw new ConfigError(
        'reader',
        'iterated again',
        'iterated once at a time',
        'the reader is already being iterated',
      )
    this.#isReading = true
    try {
      for (let next = await this.#next(); next; next = await this.#next()) {
        yield* this.#lists(next)
        this.#fetched.shift()
        this.#budget.release(next.buffer.length)
      }
    } finally {
      this.#isReading = false
    }
  }

  /** Ends at once: nothing is committed, and what is under way is not waited for. An iteration throws a ClosedError. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new ClosedError('the reader'))
    this.#loops.stop()
    this.#fetched.clear()
    this.#signal.notify()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #add(partition: ReadPartition<T>): void {
    this.#partitions.push(partition)
    if (partition.wantsFetch) this.#loops.add(partition)
  }

  /** What is to be given out next; it stays first until all of it was. Undefined: the end. */
  async #next(): Promise<Fetched<T> | undefined> {
    const sinceMs = this.#clock.monotonicMs()
    for (;;) {
      this.#closing.signal.throwIfAborted()
      if (this.#topics.isDue) await this.#look()
      // What was fetched before the failure is good.
      const head = this.#fetched.peek()
      if (head && head.generation === head.partition.generation) return head
      if (head) {
        this.#drop(head)
        continue
      }
      if (this.#failure) throw this.#failure
      if (this.#partitions.every(({ position, end }) => position >= end)) return undefined
      await this.#signal.wait(CHECK_MS)
      if (this.#fetched.length === 0) await this.#check(sinceMs)
    }
  }

  /** It was fetched of another place of the log, or is fetched again. */
  #drop({ buffer }: Fetched<T>): void {
    this.#fetched.shift()
    this.#budget.release(buffer.length)
  }

  /** Nothing came for a while, and somebody waits. */
  async #check(sinceMs: number): Promise<void> {
    const { patienceMs } = this.#settings
    await this.#look()
    if (this.#clock.monotonicMs() - Math.max(sinceMs, this.#heardMs) < patienceMs) return
    const waiting = this.#partitions.find(({ position, end }) => position < end)
    const where = waiting === undefined ? '' : `${waiting.topicName}/${waiting.partition}`
    throw new ClusterTimeoutError(
      `${where} could not be read`,
      patienceMs,
      this.#lastError ?? whySilent(this.#cluster, waiting),
    )
  }

  async #look(): Promise<void> {
    for (const { topic, partition } of await this.#topics.look(this.#partitions, this.#closing.signal)) {
      this.#add(this.#places.added(topic, partition))
    }
  }

  #take(ask: ReadAsk, fetched: FetchedPartition): void {
    const partition = ask.partition as ReadPartition<T>
    this.#heardMs = this.#clock.monotonicMs()
    const { records, aborted } = fetched
    if (records === null || records.length === 0) return this.#budget.settle(ask, 0)
    const { batches, nextOffset, damage } = committedBatches(records, aborted, partition.position)
    if (nextOffset !== undefined) {
      partition.position = nextOffset
      partition.lastEpoch = batches.at(-1)?.leaderEpoch ?? partition.lastEpoch
      partition.cutInARow = 0
    }
    const unreadable = damage ? partition.noteDamage(damage) : nextOffset === undefined && partition.noteCut(records)
    if (unreadable) partition.position = unreadable.endOffset
    if (nextOffset === undefined && !unreadable) return this.#budget.settle(ask, 0)
    this.#budget.settle(ask, records.length)
    const { generation, position } = partition
    this.#fetched.push({
      partition,
      generation,
      buffer: records,
      batches,
      nextOffset: position,
      unreadable: unreadable || undefined,
    })
  }

  /** The records of what was fetched, some at a time. */
  *#lists(fetched: Fetched<T>): Generator<RecordOf<T>[], void, undefined> {
    const { partition, generation, batches, unreadable, nextOffset } = fetched
    for (const header of batches) {
      if (header.lastOffset < partition.delivered || header.baseOffset >= partition.end) continue
      const cursor = this.#open(fetched, header)
      while (cursor !== undefined && cursor.left > 0) {
        const records = this.#decode(partition, header, cursor)
        if (records.length > 0) yield records
        if (partition.generation !== generation) return
      }
      if (partition.generation !== generation) return
      partition.deliveredTo(header.lastOffset + 1)
    }
    if (partition.generation !== generation) return
    if (unreadable !== undefined && unreadable.endOffset > partition.delivered && unreadable.offset < partition.end) {
      this.#skip(partition, Math.max(unreadable.offset, partition.delivered), unreadable.endOffset, unreadable.error)
    }
    partition.deliveredTo(nextOffset)
  }

  /** Undefined: it cannot be read. One with a bad checksum is asked for again first. */
  #open({ partition, buffer }: Fetched<T>, header: BatchHeader): RecordCursor | undefined {
    try {
      return openBatch(buffer, header, this.#settings.limits)
    } catch (error) {
      if (error instanceof BadChecksumError && partition.refetched !== header.lastOffset) {
        partition.refetched = header.lastOffset
        partition.moveTo(partition.delivered)
        this.#loops.wake()
      } else this.#skip(partition, Math.max(header.baseOffset, partition.delivered), header.lastOffset + 1, error)
      return undefined
    }
  }

  #decode(partition: ReadPartition<T>, header: BatchHeader, cursor: RecordCursor): RecordOf<T>[] {
    const { topic, partition: number, delivered } = partition
    const records: ConsumerRecord[] = []
    let next = delivered
    for (let objects = 0; cursor.left > 0 && records.length < LIST_RECORDS && objects < LIST_OBJECT_BYTES;) {
      const decoded = this.#nextOf(partition, header, cursor)
      if (decoded === undefined || decoded.offset < delivered) continue
      const record = decodeRecord(topic, number, decoded)
      next = decoded.offset + 1
      objects += ConsumerRecord.overheadOf(record)
      records.push(record)
    }
    partition.deliveredTo(cursor.left === 0 ? header.lastOffset + 1 : next)
    return records as RecordOf<T>[]
  }

  /** Undefined: the next record, or all that follow in its batch, cannot be read. */
  #nextOf(partition: ReadPartition<T>, header: BatchHeader, cursor: RecordCursor): DecodedRecord | undefined {
    try {
      return cursor.next()
    } catch (error) {
      if (error instanceof HeadersTooLargeError) {
        if (error.offset >= partition.delivered) this.#skip(partition, error.offset, error.offset + 1, error)
      } else {
        cursor.end()
        const { baseOffset, lastOffset } = header
        this.#skip(partition, Math.min(Math.max(baseOffset, partition.delivered), lastOffset), lastOffset + 1, error)
      }
      return undefined
    }
  }

  #skip({ topicName: topic, partition }: ReadPartition, offset: number, endOffset: number, cause: unknown): void {
    this.#unreadables.skip({ topic, partition, offset }, endOffset, cause)
  }

  async #seek(partition: ReadPartition): Promise<void> {
    partition.isSeeking = true
    try {
      this.#move(partition, await this.#places.nearest(partition, this.#closing.signal))
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#trouble('positions', error)
      if ((error as { retriable?: boolean }).retriable !== true) this.#fail(error as Error)
    } finally {
      partition.isSeeking = false
      this.#loops.wake()
    }
  }

  #move(partition: ReadPartition, offset: number): void {
    const { topicName: topic, partition: number, position: from } = partition
    partition.moveTo(offset)
    this.#events.emit('moved', { topic, partition: number, from, offset })
    this.#loops.wake()
    this.#signal.notify()
  }

  #trouble(during: ReaderEvents['error']['during'], error: unknown): void {
    if (this.#closing.signal.aborted) return
    this.#lastError = error
    this.#events.emit('error', { during, error })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#loops.stop()
    this.#signal.notify()
  }
}
