import { ClosedError, Emitter, Ring, type Clock } from '@sluice/flow'
import { committedBatches } from '../batch/committed.ts'
import { decodeRecords, type BatchHeader } from '../batch/decode.ts'
import { layout, lengthOverhead } from '../batch/layout.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { ConsumerRecord } from '../consumer/consumer-record.ts'
import { UnreadableBatchError } from '../consumer/errors.ts'
import type { OffsetPlace } from '../consumer/events.ts'
import { FetchLoops } from '../consumer/fetch-loops.ts'
import type { AnyTopic } from '../consumer/options.ts'
import type { RecordOf } from '../consumer/consumer.ts'
import { Signal } from '../consumer/signal.ts'
import type { FetchedPartition } from '../driver/driver.ts'
import { ClusterTimeoutError } from '../errors.ts'
import { decodeRecord } from './decode-record.ts'
import { parseReaderOptions, type ReaderOptions, type ReaderSettings } from './options.ts'
import { Places } from './places.ts'
import { ReadBudget, type ReadAsk } from './read-budget.ts'
import type { ReadPartition } from './read-partition.ts'
import { TopicWatch } from './topic-watch.ts'

export type ReaderEvents = {
  /** Something failed that is tried again. */
  error: { readonly during: 'metadata' | 'fetch' | 'positions'; readonly error: unknown }
  /** A position is no longer in the log, or the log was replaced from there on: records were lost or come again. */
  moved: OffsetPlace & { readonly from: number }
}

/** What a fetch brought for one partition, undecoded. */
interface Fetched<T extends AnyTopic> {
  readonly partition: ReadPartition<T>
  readonly buffer: Buffer
  readonly batches: readonly BatchHeader[]
  readonly nextOffset: number
}

const CHECK_MS = 1_000

/**
 * Reads topics without a group: joins nothing and commits nothing, so that nobody else notices. Each partition in its
 * order; partitions as they come. Fetches ahead within `maxBytes` and waits while nobody reads.
 *
 *     for await (const record of reader) ...            or, for speed,        for await (const records of reader.batches()) ...
 */
export class Reader<T extends AnyTopic = AnyTopic> implements AsyncIterable<RecordOf<T>>, AsyncDisposable {
  readonly #clock: Clock
  readonly #settings: ReaderSettings<T>
  readonly #places: Places<T>
  readonly #events = new Emitter<ReaderEvents>()
  readonly #budget: ReadBudget
  readonly #loops: FetchLoops<ReadPartition, ReadAsk>
  readonly #partitions: ReadPartition<T>[] = []
  readonly #fetched = new Ring<Fetched<T>>()
  readonly #signal: Signal
  readonly #topics: TopicWatch<T>
  /** When a broker last answered. */
  #heardMs = 0
  #lastError: unknown
  #failure: Error | undefined
  readonly #closing = new AbortController()
  #isReading = false

  /** @throws ConfigError; BrokerError for a topic that is not there or may not be read; ConnectionError and the like */
  static async open<T extends AnyTopic>(cluster: Cluster, options: ReaderOptions<T>, clock: Clock): Promise<Reader<T>> {
    const settings = parseReaderOptions(options)
    const places = new Places(cluster, clock, settings)
    const reader = new Reader(cluster, settings, clock, places)
    for (const partition of await places.open()) reader.#add(partition)
    return reader
  }

  private constructor(cluster: Cluster, settings: ReaderSettings<T>, clock: Clock, places: Places<T>) {
    this.#clock = clock
    this.#settings = settings
    this.#places = places
    this.#budget = new ReadBudget(settings.maxBytes, () => this.#loops.wake())
    this.#signal = new Signal(clock)
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

  inspect() {
    const left = this.#partitions.reduce((sum, { end, delivered }) => sum + Math.max(0, end - delivered), 0)
    return {
      state: this.#closing.signal.aborted ? ('closed' as const) : ('open' as const),
      partitions: this.#partitions.length,
      /** Offsets up to the end; null where there is none. */
      left: this.#settings.follow ? null : left,
      fetchedBytes: this.#budget.usedBytes,
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RecordOf<T>, void, undefined> {
    for await (const records of this.batches()) yield* records
  }

  /**
   * The records of a batch at a time, never none. Their bytes are views into it: copy what is to be kept long.
   * Leaving the iteration leaves the reader open: another one goes on behind the last batch that was given out.
   * @throws DecodeError, UnreadableBatchError, ClusterTimeoutError, ClosedError, BrokerError
   */
  async *batches(): AsyncGenerator<RecordOf<T>[], void, undefined> {
    if (this.#isReading) throw new ClosedError('the reader to a second iteration beside the first: it')
    this.#isReading = true
    try {
      for (let next = await this.#next(); next; next = await this.#next()) {
        const { partition, buffer, batches } = next
        for (const header of batches) {
          if (header.lastOffset < partition.delivered || header.baseOffset >= partition.end) continue
          const records = this.#decode(next, header)
          partition.delivered = Math.min(header.lastOffset + 1, partition.end)
          if (records.length > 0) yield records
        }
        partition.delivered = Math.max(partition.delivered, Math.min(next.nextOffset, partition.end))
        this.#fetched.shift()
        this.#budget.release(buffer.length)
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
      if (head) return head
      if (this.#failure) throw this.#failure
      if (this.#partitions.every(({ position, end }) => position >= end)) return undefined
      await this.#signal.wait(CHECK_MS)
      if (this.#fetched.length === 0) await this.#check(sinceMs)
    }
  }

  /** Nothing came for a while, and somebody waits. */
  async #check(sinceMs: number): Promise<void> {
    const { patienceMs } = this.#settings
    await this.#look()
    if (this.#clock.monotonicMs() - Math.max(sinceMs, this.#heardMs) < patienceMs) return
    const waiting = this.#partitions.find(({ position, end }) => position < end)
    const where = waiting === undefined ? '' : `${waiting.topicName}/${waiting.partition}`
    throw new ClusterTimeoutError(`${where} could not be read`, patienceMs, this.#lastError)
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
    const { batches, nextOffset } = records === null ? nothing : scan(partition, records, aborted)
    if (records === null || nextOffset === undefined) {
      if (records !== null && records.length > 0) learnCutBatch(partition, records)
      this.#budget.settle(ask, 0)
      return
    }
    partition.position = nextOffset
    partition.lastEpoch = batches.at(-1)?.leaderEpoch ?? partition.lastEpoch
    this.#budget.settle(ask, records.length)
    this.#fetched.push({ partition, buffer: records, batches, nextOffset })
  }

  #decode({ partition, buffer }: Fetched<T>, header: BatchHeader): RecordOf<T>[] {
    const { topic, partition: number, delivered } = partition
    const records: ConsumerRecord[] = []
    for (const record of decodeBatch(partition, buffer, header, this.#settings.maxDecodedBytes)) {
      if (record.offset >= delivered) records.push(decodeRecord(topic, number, record))
    }
    return records as RecordOf<T>[]
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
    this.#lastError = error
    this.#events.emit('error', { during, error })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#loops.stop()
    this.#signal.notify()
  }
}

const nothing = { batches: [], nextOffset: undefined } as const

function scan(partition: ReadPartition, records: Buffer, aborted: FetchedPartition['aborted']) {
  try {
    return committedBatches(records, aborted, partition.position)
  } catch (cause) {
    throw unreadable(partition, partition.position, cause)
  }
}

function decodeBatch(partition: ReadPartition, buffer: Buffer, header: BatchHeader, maxDecodedBytes: number) {
  try {
    return decodeRecords(buffer, header, { maxDecodedBytes })
  } catch (cause) {
    throw unreadable(partition, header.baseOffset, cause)
  }
}

function unreadable({ topicName, partition }: ReadPartition, offset: number, cause: unknown): UnreadableBatchError {
  return new UnreadableBatchError({ topic: topicName, partition, offset }, cause)
}

/** Not even one batch fitted: the next time ask for as much as its header says. */
function learnCutBatch(partition: ReadPartition, records: Buffer): void {
  const length = records.length >= lengthOverhead ? lengthOverhead + records.readInt32BE(layout.length) : 0
  partition.fetchBytes = Math.max(length, partition.fetchBytes)
}
