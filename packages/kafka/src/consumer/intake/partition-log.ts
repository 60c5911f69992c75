import { Ring } from '@sluice/flow/internal'
import { limitsOfCopies, openBatch } from '../../batch/decode.ts'
import { type DecodedRecord, type DecodeLimits, type RecordCursor } from '../../batch/decoded.ts'
import { decodePart } from '../../codecs/decode-part.ts'
import { DecodeError, HeadersTooLargeError } from '../../errors.ts'
import { BadChecksumError } from '../../batch/bad-checksum.ts'
import { asOriginal } from '../../failure/retry-record.ts'
import { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { Intake } from './intake.ts'
import type { AssignedPartition } from '../partition.ts'
import type { Tracker } from '../commit/tracker.ts'
import type { Unreadables } from '../../incoming/unreadable.ts'
import type { FetchedBatch } from '../../incoming/fetched-batch.ts'

/** A record on its way to the handler, and the offsets that are finished with it: its own and the gap before it. */
interface TakenRecord {
  readonly record: ConsumerRecord
  readonly start: number
  readonly end: number
  readonly error: DecodeError | undefined
}

/** Objects are charged in steps of about so much, not one by one. */
const OBJECTS_AT_ONCE = 16_384

/**
 * The records of one partition, from the batches that were fetched to the offsets that are finished: they are taken in
 * their order, and finished in any.
 */
export class PartitionLog {
  readonly tracker: Tracker
  /** Leader epoch of the batch that was opened last; -1 unknown. */
  epoch = -1
  /** Of the record that was taken last: where its offsets start, the gap before it included, and where they end. */
  takenFrom = -1
  takenTo = -1
  /** Of the same: why it could not be decoded, and so has no value. It is not for the handler. */
  takenError: DecodeError | undefined
  readonly #partition: AssignedPartition
  readonly #intake: Intake
  readonly #unreadables: Unreadables
  readonly #queue = new Ring<FetchedBatch>()
  #current: FetchedBatch | undefined
  /** Of `#current`: its records, as far as they were not taken. */
  #cursor: RecordCursor | undefined
  /** Of an open batch whose bytes were given up to be decompressed again: how far it was, and how many were left. */
  #folded: { readonly index: number; readonly left: number } | undefined
  /** Was taken and is to be taken again. */
  #returned: TakenRecord | undefined
  #freedRecords = 0
  #freedBytes = 0
  /** Objects that came, less those that went, since they were last charged. */
  #objectBytes = 0
  /** A batch with a bad checksum that was asked for again. */
  #refetched = -1

  constructor(partition: AssignedPartition, intake: Intake, tracker: Tracker, unreadables: Unreadables) {
    this.tracker = tracker
    this.#partition = partition
    this.#intake = intake
    this.#unreadables = unreadables
  }

  /** The next offset behind all that was fetched. */
  get end(): number {
    const last = this.#queue.at(this.#queue.length - 1) ?? this.#current
    return Math.max(last?.end ?? 0, this.tracker.taken)
  }

  /** Whether there may be something to take. */
  get hasMore(): boolean {
    return (
      (this.#cursor !== undefined && this.#cursor.left > 0) ||
      this.#queue.length > 0 ||
      this.#folded !== undefined ||
      this.#returned !== undefined
    )
  }

  /** Whether there is no room for what the next `take` would bring: ask again when there is. */
  get mustWait(): boolean {
    if (this.#returned !== undefined) return false
    if (!this.#intake.mayTake(this.#partition)) return true
    if (this.#cursor !== undefined && this.#cursor.left > 0) return false
    const next = this.#folded === undefined ? this.#queue.peek() : this.#current
    return next !== undefined && next.header.compression !== 'none' && !this.#intake.mayExpand()
  }

  push(batch: FetchedBatch): void {
    this.#queue.push(batch)
  }

  /** Nothing up to `end` is to be handled, beyond what was pushed already. */
  skipTo(end: number): void {
    const last = this.#queue.at(this.#queue.length - 1) ?? this.#current
    if (last !== undefined) last.end = Math.max(last.end, end)
    else this.#passTo(end)
  }

  /** Offsets that were fetched and cannot be read. @throws UnreadableBatchError */
  skipUnreadable(offset: number, endOffset: number, cause: unknown): void {
    this.#report(offset, endOffset, cause)
    this.skipTo(endOffset)
  }

  /**
   * The next record; `takenFrom`, `takenTo` and `takenError` tell more of it. Undefined: there is none now, though
   * `hasMore` may hold, where a batch could not be read: what follows it is for another turn of the event loop.
   * @throws UnreadableBatchError: the batch stays where it is.
   */
  take(): ConsumerRecord | undefined {
    if (this.#returned !== undefined) return this.#takeReturned(this.#returned)
    for (;;) {
      const record = this.#takeFromOpen()
      if (record !== undefined) return record
      if (this.#folded !== undefined) {
        this.#unfold(this.#current!, this.#folded.index)
        continue
      }
      this.#closeCurrent()
      const next = this.#queue.peek()
      if (next === undefined || !this.#open(next)) return undefined
    }
  }

  /** The record that was taken last is the next one again. */
  untake(record: ConsumerRecord): void {
    this.#returned = { record, start: this.takenFrom, end: this.takenTo, error: this.takenError }
    this.takenError = undefined
  }

  /** What was taken as these offsets is finished. */
  finish(start: number, end: number, input: ConsumerRecord | readonly ConsumerRecord[]): void {
    this.tracker.finish(start, end)
    if (input instanceof ConsumerRecord) this.#free(input)
    else for (const record of input) this.#free(record)
    const isAllTaken = (this.#cursor === undefined || this.#cursor.left === 0) && this.#folded === undefined
    if (isAllTaken && this.#current?.unfinished === 0) this.#closeCurrent()
  }

  /**
   * Gives up what decompression made of the open batch, for a partition that is not to go on soon: the rest is decoded
   * again when it does.
   */
  fold(): void {
    const batch = this.#current
    if (batch === undefined || batch.expandedBytes === 0) return
    const { count, left } = this.#cursor ?? { count: 0, left: 0 }
    if (left > 0) this.#folded = { index: count - left, left }
    this.#cursor = undefined
    this.#freeExpanded(batch)
    this.settle()
  }

  /** Gives back to the budget what was finished since the last time. Apart from `finish`, to do it seldom. */
  settle(): void {
    if (this.#objectBytes !== 0) this.#chargeObjects()
    if (this.#freedRecords === 0 && this.#freedBytes === 0) return
    const [bytes, records] = [this.#freedBytes, this.#freedRecords]
    this.#freedBytes = 0
    this.#freedRecords = 0
    this.#intake.release(this.#partition, bytes, records)
  }

  /** Drops what was not taken. What is out can still be finished. */
  drop(): void {
    this.#returned = undefined
    const batch = this.#current
    if (batch !== undefined) {
      this.#giveUp(batch, this.#folded?.left ?? this.#cursor?.left ?? 0)
      // The offsets of what was dropped are not finished: only those up to the last one taken are.
      batch.end = this.tracker.taken
      this.#folded = undefined
      this.#cursor = undefined
    }
    this.#dropQueue()
    this.#closeCurrent()
    this.settle()
  }

  #takeReturned({ record, start, end, error }: TakenRecord): ConsumerRecord {
    this.#returned = undefined
    this.takenFrom = start
    this.takenTo = end
    this.takenError = error
    return record
  }

  /** The next record of the open batch that is to be handled. */
  #takeFromOpen(): ConsumerRecord | undefined {
    const batch = this.#current
    for (let cursor = this.#cursor; cursor !== undefined && cursor.left > 0; cursor = this.#cursor) {
      let decoded: DecodedRecord
      try {
        decoded = cursor.next()
      } catch (error) {
        this.#passUnreadable(batch!, cursor, error)
        continue
      }
      if (this.#isWanted(decoded.offset)) return this.#takeOut(decoded, batch!, cursor)
      this.#pass(decoded.offset, batch!, cursor)
    }
    return undefined
  }

  /** Neither before the position nor finished by an earlier assignment. */
  #isWanted(offset: number): boolean {
    return offset >= this.tracker.taken && !this.tracker.wasFinished(offset)
  }

  #takeOut(decoded: DecodedRecord, batch: FetchedBatch, cursor: RecordCursor): ConsumerRecord {
    const record = this.#decode(decoded, batch)
    this.takenTo = endOf(decoded.offset, batch, cursor)
    this.takenFrom = this.tracker.take(this.takenTo)
    this.#objectBytes += ConsumerRecord.overheadOf(record)
    if (this.#objectBytes > OBJECTS_AT_ONCE) this.#chargeObjects()
    return record
  }

  /** A record that was finished before this assignment, or that lies before its position. */
  #pass(offset: number, batch: FetchedBatch, cursor: RecordCursor): void {
    const end = endOf(offset, batch, cursor)
    this.#giveUp(batch, 1)
    if (offset >= this.tracker.taken) this.tracker.finish(this.tracker.take(end), end)
  }

  /** One record is past its bounds, or the rest of the batch is damaged. Their offsets go with the next record. */
  #passUnreadable(batch: FetchedBatch, cursor: RecordCursor, error: unknown): void {
    if (error instanceof HeadersTooLargeError) {
      if (this.#isWanted(error.offset)) this.#report(error.offset, error.offset + 1, error)
      return this.#giveUp(batch, 1)
    }
    const { baseOffset, lastOffset } = batch.header
    // Where a record before had an offset that was not its own, all of them may be taken: one is named at least.
    this.#report(Math.min(Math.max(baseOffset, this.tracker.taken), lastOffset), lastOffset + 1, error)
    this.#giveUp(batch, cursor.left + 1)
    cursor.end()
    this.#cursor = undefined
  }

  /** So many of its records are not to be taken. */
  #giveUp(batch: FetchedBatch, records: number): void {
    this.#freedRecords += records
    batch.unfinished -= records
  }

  #report(offset: number, endOffset: number, cause: unknown): void {
    const { topicName: topic, partition } = this.#partition
    this.#unreadables.skip({ topic, partition, offset }, endOffset, cause)
  }

  #decode(decoded: DecodedRecord, batch: FetchedBatch): ConsumerRecord {
    const { topic, partition, retryOf } = this.#partition
    const name = retryOf === undefined ? topic.name : retryOf.topicName
    const wire = retryOf === undefined ? decoded : asOriginal(decoded)
    let part: 'key' | 'value' = 'key'
    let key: unknown
    this.takenError = undefined
    try {
      key = decodePart(topic.key, decoded.key)
      part = 'value'
      return new ConsumerRecord(name, partition, wire, key, decodePart(topic.value, decoded.value), batch)
    } catch (cause) {
      const place = { topic: name, partition, offset: wire.offset }
      this.takenError = new DecodeError(place, part, topic[part].name, cause)
      return new ConsumerRecord(name, partition, wire, key, undefined, batch)
    }
  }

  /** Opens the first batch of the queue. False: it cannot be read, and is passed over or asked for again. */
  #open(batch: FetchedBatch): boolean {
    const { header, chunk } = batch
    let cursor: RecordCursor
    try {
      cursor = openBatch(chunk.buffer, header, this.#limits())
    } catch (error) {
      this.#openFailed(batch, error)
      return false
    }
    this.#queue.shift()
    this.#current = batch
    this.#cursor = cursor
    this.epoch = header.leaderEpoch
    if (!batch.isCounted) this.#count(batch, cursor.count)
    this.#expand(batch, cursor)
    return true
  }

  #openFailed(batch: FetchedBatch, error: unknown): void {
    const { header } = batch
    const mayFetchAgain = this.#partition.position >= 0 && this.#refetched !== header.lastOffset
    if (error instanceof BadChecksumError && mayFetchAgain) {
      this.#refetched = header.lastOffset
      return this.#fetchAgain()
    }
    const offset = Math.max(header.baseOffset, this.tracker.taken)
    if (offset <= header.lastOffset) this.#report(offset, header.lastOffset + 1, error)
    this.#queue.shift()
    this.#giveUp(batch, batch.unfinished)
    this.#current = batch
    this.#closeCurrent()
  }

  /** What is queued may have been spoilt on its way: it is dropped and fetched once more. */
  #fetchAgain(): void {
    this.#partition.position = this.tracker.taken
    this.#partition.lastEpoch = -1
    this.#dropQueue()
    this.settle()
  }

  #dropQueue(): void {
    for (const queued of this.#queue) {
      this.#freedRecords += queued.unfinished
      this.#freeBatch(queued)
    }
    this.#queue.clear()
  }

  #unfold(batch: FetchedBatch, index: number): void {
    const cursor = openBatch(batch.chunk.buffer, batch.header, this.#limits())
    cursor.skip(index)
    this.#cursor = cursor
    this.#folded = undefined
    this.#expand(batch, cursor)
  }

  /** A copy for later has some headers more than its record. */
  #limits(): DecodeLimits {
    const { limits } = this.#unreadables
    return this.#partition.retryOf === undefined ? limits : limitsOfCopies(limits)
  }

  /** Only now it is known how many messages of an old format lie in their wrapper. */
  #count(batch: FetchedBatch, records: number): void {
    batch.isCounted = true
    const more = records - Math.max(0, batch.header.count)
    if (more === 0) return
    batch.unfinished += more
    this.#intake.hold(this.#partition, 0, more)
  }

  #expand(batch: FetchedBatch, { bytes }: RecordCursor): void {
    const { header } = batch
    if (header.compression === 'none') return
    batch.expandedBytes = Math.max(0, bytes - (header.end - header.start))
    this.#intake.expand(this.#partition, batch.expandedBytes)
  }

  #chargeObjects(): void {
    const bytes = this.#objectBytes
    this.#objectBytes = 0
    this.#intake.chargeObjects(this.#partition, bytes)
  }

  /** The record is done with: its batch goes with the last one. */
  #free(record: ConsumerRecord): void {
    this.#freedRecords++
    const batch = ConsumerRecord.detach(record)
    if (batch === undefined) return
    this.#objectBytes -= ConsumerRecord.overheadOf(record)
    batch.unfinished--
    if (batch.unfinished === 0 && batch.isTaken) this.#freeBatch(batch)
  }

  #closeCurrent(): void {
    const batch = this.#current
    if (batch === undefined) return
    this.#current = undefined
    this.#cursor = undefined
    batch.isTaken = true
    if (batch.unfinished === 0) this.#freeBatch(batch)
    this.#passTo(batch.end)
  }

  #freeExpanded(batch: FetchedBatch): void {
    this.#intake.shrink(this.#partition, batch.expandedBytes)
    this.#freedBytes += batch.expandedBytes
    batch.expandedBytes = 0
  }

  #freeBatch(batch: FetchedBatch): void {
    this.#freeExpanded(batch)
    if (--batch.chunk.unfinishedBatches === 0) this.#freedBytes += batch.chunk.buffer.length
  }

  /** Offsets that nobody handles: finished with the next record, or by themselves where none follows. */
  #passTo(end: number): void {
    if (this.#queue.length > 0 || end <= this.tracker.taken) return
    this.tracker.finish(this.tracker.take(end), end)
  }
}

/** Where the offsets end that go with a record: the last one takes along what follows its batch. */
function endOf(offset: number, batch: FetchedBatch, cursor: RecordCursor): number {
  return cursor.left === 0 ? Math.max(offset + 1, batch.end) : offset + 1
}
