import { Ring } from '@sluice/flow'
import type { BatchHeader, DecodedRecord } from '../batch/decode.ts'
import { decodeRecords } from '../batch/decode.ts'
import { DecodeError } from '../errors.ts'
import { asOriginal } from '../failure/retry-record.ts'
import { ConsumerRecord } from './consumer-record.ts'
import { UnreadableBatchError } from './errors.ts'
import type { Intake } from './intake.ts'
import type { AssignedPartition } from './partition.ts'
import type { Tracker } from './tracker.ts'

/** What one fetch brought for one partition. Its memory can only go as a whole, with the last batch of it. */
export interface Chunk {
  readonly buffer: Buffer
  unfinishedBatches: number
}

/** A batch as it came: decoded only when its records are needed, released when the last of them is finished. */
export class FetchedBatch {
  readonly chunk: Chunk
  readonly header: BatchHeader
  /** The next offset behind it and behind whatever follows it that is not to be handled. */
  end: number
  /** Records of it that are not finished. */
  unfinished: number
  /** None of its records is left to be taken. */
  isTaken = false
  /** What decompression added. */
  expandedBytes = 0

  constructor(chunk: Chunk, header: BatchHeader) {
    this.chunk = chunk
    this.header = header
    this.end = header.lastOffset + 1
    this.unfinished = header.count
  }
}

/** A record on its way to the handler, and the offsets that are finished with it: its own and the gap before it. */
interface TakenRecord {
  readonly record: ConsumerRecord
  readonly start: number
  readonly end: number
  readonly error: DecodeError | undefined
}

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
  readonly #maxDecodedBytes: number
  readonly #queue = new Ring<FetchedBatch>()
  #current: FetchedBatch | undefined
  #records: readonly DecodedRecord[] = []
  #index = 0
  /** Of an open batch whose records were given up to be decoded again: how far it was, and how many were left. */
  #folded: { readonly index: number; readonly left: number } | undefined
  /** Was taken and is to be taken again. */
  #returned: TakenRecord | undefined
  #freedRecords = 0
  #freedBytes = 0

  constructor(partition: AssignedPartition, intake: Intake, tracker: Tracker, maxDecodedBytes: number) {
    this.tracker = tracker
    this.#partition = partition
    this.#intake = intake
    this.#maxDecodedBytes = maxDecodedBytes
  }

  /** The next offset behind all that was fetched. */
  get end(): number {
    const last = this.#queue.at(this.#queue.length - 1) ?? this.#current
    return Math.max(last?.end ?? 0, this.tracker.taken)
  }

  /** Whether there may be something to take. */
  get hasMore(): boolean {
    return (
      this.#index < this.#records.length ||
      this.#queue.length > 0 ||
      this.#folded !== undefined ||
      this.#returned !== undefined
    )
  }

  /** Whether the next `take` has to open a batch that would not fit: ask again when there is room. */
  get mustWait(): boolean {
    if (this.#index < this.#records.length || this.#returned !== undefined) return false
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

  /**
   * The next record; `takenFrom`, `takenTo` and `takenError` tell more of it.
   * @throws UnreadableBatchError: the batch stays where it is.
   */
  take(): ConsumerRecord | undefined {
    if (this.#returned !== undefined) return this.#takeReturned(this.#returned)
    for (;;) {
      while (this.#index < this.#records.length) {
        const decoded = this.#records[this.#index]!
        if (decoded.offset >= this.tracker.taken && !this.tracker.wasFinished(decoded.offset)) {
          return this.#takeOut(decoded)
        }
        this.#pass(decoded)
      }
      if (this.#folded !== undefined) {
        this.#unfold(this.#current!, this.#folded.index)
        continue
      }
      this.#closeCurrent()
      const next = this.#queue.peek()
      if (next === undefined) return undefined
      this.#open(next)
      this.#queue.shift()
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
    const isAllTaken = this.#index === this.#records.length && this.#folded === undefined
    if (isAllTaken && this.#current?.unfinished === 0) this.#closeCurrent()
  }

  /**
   * Gives up what decompression made of the open batch, for a partition that is not to go on soon: the rest is decoded
   * again when it does.
   */
  fold(): void {
    const batch = this.#current
    if (batch === undefined || batch.expandedBytes === 0) return
    const left = this.#records.length - this.#index
    if (left > 0) this.#folded = { index: this.#index, left }
    this.#records = []
    this.#index = 0
    this.#freeExpanded(batch)
    this.settle()
  }

  /** Gives back to the budget what was finished since the last time. Apart from `finish`, to do it seldom. */
  settle(): void {
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
      const left = this.#folded?.left ?? this.#records.length - this.#index
      this.#freedRecords += left
      batch.unfinished -= left
      // The offsets of what was dropped are not finished: only those up to the last one taken are.
      batch.end = this.tracker.taken
      this.#folded = undefined
      this.#index = this.#records.length
    }
    for (const queued of this.#queue) {
      this.#freedRecords += queued.header.count
      this.#freeBatch(queued)
    }
    this.#queue.clear()
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

  #takeOut(decoded: DecodedRecord): ConsumerRecord {
    const batch = this.#current!
    const record = this.#decode(decoded, batch)
    this.takenTo = this.#endOf(decoded.offset)
    this.#index++
    this.takenFrom = this.tracker.take(this.takenTo)
    return record
  }

  /** A record that was finished before this assignment, or that lies before its position. */
  #pass({ offset }: DecodedRecord): void {
    const end = this.#endOf(offset)
    this.#index++
    this.#freedRecords++
    this.#current!.unfinished--
    if (offset >= this.tracker.taken) this.tracker.finish(this.tracker.take(end), end)
  }

  /** Where the offsets end that go with the record at `#index`: the last one takes along what follows its batch. */
  #endOf(offset: number): number {
    const isLast = this.#index + 1 === this.#records.length
    return isLast ? Math.max(offset + 1, this.#current!.end) : offset + 1
  }

  #decode(decoded: DecodedRecord, batch: FetchedBatch): ConsumerRecord {
    const { topic, partition, retryOf } = this.#partition
    const name = retryOf === undefined ? topic.name : retryOf.topicName
    const wire = retryOf === undefined ? decoded : asOriginal(decoded)
    let part: 'key' | 'value' = 'key'
    let key: unknown
    this.takenError = undefined
    try {
      key = topic.key.decode(decoded.key)
      part = 'value'
      return new ConsumerRecord(name, partition, wire, key, topic.value.decode(decoded.value), batch)
    } catch (cause) {
      const place = { topic: name, partition, offset: wire.offset }
      this.takenError = new DecodeError(place, part, topic[part].name, cause)
      return new ConsumerRecord(name, partition, wire, key, undefined, batch)
    }
  }

  #open(batch: FetchedBatch): void {
    this.#records = this.#decodeBatch(batch)
    this.#index = 0
    this.#current = batch
    this.epoch = batch.header.leaderEpoch
    this.#expand(batch)
  }

  #unfold(batch: FetchedBatch, index: number): void {
    this.#records = this.#decodeBatch(batch)
    this.#index = index
    this.#folded = undefined
    this.#expand(batch)
  }

  #decodeBatch({ header, chunk }: FetchedBatch): readonly DecodedRecord[] {
    try {
      return decodeRecords(chunk.buffer, header, { maxDecodedBytes: this.#maxDecodedBytes })
    } catch (cause) {
      const { topicName, partition } = this.#partition
      throw new UnreadableBatchError({ topic: topicName, partition, offset: header.baseOffset }, cause)
    }
  }

  #expand(batch: FetchedBatch): void {
    const { header } = batch
    if (header.compression === 'none') return
    batch.expandedBytes = Math.max(0, decodedBytes(this.#records) - (header.end - header.start))
    this.#intake.expand(this.#partition, batch.expandedBytes)
  }

  /** The record is done with: its batch goes with the last one. */
  #free(record: ConsumerRecord): void {
    this.#freedRecords++
    const batch = ConsumerRecord.detach(record)
    if (batch === undefined) return
    batch.unfinished--
    if (batch.unfinished === 0 && batch.isTaken) this.#freeBatch(batch)
  }

  #closeCurrent(): void {
    const batch = this.#current
    if (batch === undefined) return
    this.#current = undefined
    this.#records = []
    this.#index = 0
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

function decodedBytes(records: readonly DecodedRecord[]): number {
  let bytes = 0
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0)
  return bytes
}
