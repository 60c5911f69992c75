import { Ring } from '@sluice/flow'
import type { BatchHeader, DecodedRecord } from '../batch/decode.ts'
import { decodeRecords } from '../batch/decode.ts'
import { DecodeError } from '../errors.ts'
import { ConsumerRecord } from './consumer-record.ts'
import { UnreadableBatchError } from './errors.ts'
import type { Invocation } from './invocation.ts'
import type { Intake } from './intake.ts'
import type { AssignedPartition } from './partition.ts'
import { Tracker } from './tracker.ts'

/** What one fetch brought for one partition. Its memory can only go as a whole, with the last batch of it. */
export interface Chunk {
  readonly buffer: Buffer
  unfinishedBatches: number
}

/** A batch that waits for its turn, as it came: decoded only when its records are needed. */
export interface PendingBatch {
  readonly chunk: Chunk
  readonly header: BatchHeader
  /** The next offset behind it and behind whatever follows it that is not to be handled. */
  end: number
}

/**
 * `idle`: nothing to do. `ready`: in line for a slot. `running`: has a slot. `backoff`: its record waits for another
 * attempt, without a slot. `parked`: waits for room to open its next batch.
 */
export type LaneStatus = 'idle' | 'ready' | 'running' | 'backoff' | 'parked'

/**
 * The records of one partition in their order, from the batches that were fetched to the offsets that are finished.
 * One record, or one batch of records, is out at a time: `take` some, handle them, `finish`.
 */
export class Lane {
  readonly tracker: Tracker
  /** For the dispatcher: what becomes of this lane next. */
  status: LaneStatus = 'idle'
  /** The call that is out, or waits for its next attempt. */
  invocation: Invocation | undefined
  /** Records it may still take before others have their turn. */
  turnLeft = 0
  /** Leader epoch of the batch that was opened last; -1 unknown. */
  epoch = -1
  readonly #partition: AssignedPartition
  readonly #intake: Intake
  readonly #maxDecodedBytes: number
  readonly #queue = new Ring<PendingBatch>()
  #current: PendingBatch | undefined
  #records: readonly DecodedRecord[] = []
  #index = 0
  /** Of an open batch whose records were given up to be decoded again: how far it was, and how many were left. */
  #folded: { readonly index: number; readonly left: number } | undefined
  /** What decompression added to the present batch. */
  #expandedBytes = 0
  /** Where the records that are out start; -1: none is out. */
  #outFrom = -1
  #outRecords = 0
  #freedRecords = 0
  #freedBytes = 0

  constructor(partition: AssignedPartition, intake: Intake, position: number, maxDecodedBytes: number) {
    this.tracker = new Tracker(position)
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
    return this.#index < this.#records.length || this.#folded !== undefined || this.#queue.length > 0
  }

  /** Whether there is a record to handle, or to handle again. */
  get hasWork(): boolean {
    return this.invocation !== undefined || this.hasMore
  }

  /** Whether the next `take` has to open a batch that would not fit: ask again when there is room. */
  get mustWait(): boolean {
    if (this.#index < this.#records.length) return false
    const next = this.#folded === undefined ? this.#queue.peek() : this.#current
    return next !== undefined && next.header.compression !== 'none' && !this.#intake.mayExpand()
  }

  push(batch: PendingBatch): void {
    this.#queue.push(batch)
  }

  /** Nothing up to `end` is to be handled, beyond what was pushed already. */
  skipTo(end: number): void {
    const last = this.#queue.at(this.#queue.length - 1) ?? this.#current
    if (last !== undefined) last.end = Math.max(last.end, end)
    else this.#passTo(end)
  }

  /** @throws DecodeError, UnreadableBatchError: the record stays where it is. */
  take(): ConsumerRecord | undefined {
    for (;;) {
      while (this.#index < this.#records.length) {
        const decoded = this.#records[this.#index]!
        if (decoded.offset >= this.tracker.taken) return this.#takeOut(decoded)
        this.#index++
        this.#freedRecords++
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

  /** All records that are out are finished. */
  finish(): void {
    this.tracker.finish(this.#outFrom, this.tracker.taken)
    this.#freedRecords += this.#outRecords
    this.#outFrom = -1
    this.#outRecords = 0
    if (this.#index === this.#records.length && this.#folded === undefined) this.#closeCurrent()
  }

  /**
   * Gives up what decompression made of the open batch, for a lane that is not to go on soon: the rest is decoded
   * again when it does.
   */
  fold(): void {
    const left = this.#records.length - this.#index
    if (this.#expandedBytes === 0) return
    if (left > 0) this.#folded = { index: this.#index, left }
    this.#records = []
    this.#index = 0
    this.#freeExpanded()
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

  /** Drops what has not started. What is out can still be finished. */
  drop(): void {
    this.#freedRecords += this.#folded?.left ?? this.#records.length - this.#index
    this.#folded = undefined
    this.#index = this.#records.length
    for (const batch of this.#queue) {
      this.#freedRecords += batch.header.count
      this.#freeBatch(batch)
    }
    this.#queue.clear()
    if (this.#current !== undefined) {
      // The offsets of what was dropped are not finished: only those up to the last one taken are.
      this.#current.end = this.tracker.taken
      if (this.#outFrom < 0) this.#closeCurrent()
    }
    this.settle()
  }

  #takeOut(decoded: DecodedRecord): ConsumerRecord {
    const record = this.#decode(decoded)
    const isLast = ++this.#index === this.#records.length
    const end = isLast ? Math.max(decoded.offset + 1, this.#current!.end) : decoded.offset + 1
    const start = this.tracker.take(end)
    if (this.#outFrom < 0) this.#outFrom = start
    this.#outRecords++
    return record
  }

  #decode({ offset, timestampMs, key, value, headers }: DecodedRecord): ConsumerRecord {
    const { topic, partition } = this.#partition
    let part: 'key' | 'value' = 'key'
    try {
      const decodedKey: unknown = topic.key.decode(key)
      part = 'value'
      const decodedValue: unknown = topic.value.decode(value)
      return new ConsumerRecord(topic.name, partition, offset, timestampMs, decodedKey, decodedValue, headers)
    } catch (cause) {
      throw new DecodeError({ topic: topic.name, partition, offset }, part, topic[part].name, cause)
    }
  }

  #open(batch: PendingBatch): void {
    this.#records = this.#decodeBatch(batch)
    this.#index = 0
    this.#current = batch
    this.epoch = batch.header.leaderEpoch
    this.#expand(batch.header)
  }

  #unfold(batch: PendingBatch, index: number): void {
    this.#records = this.#decodeBatch(batch)
    this.#index = index
    this.#folded = undefined
    this.#expand(batch.header)
  }

  #decodeBatch({ header, chunk }: PendingBatch): readonly DecodedRecord[] {
    try {
      return decodeRecords(chunk.buffer, header, { maxDecodedBytes: this.#maxDecodedBytes })
    } catch (cause) {
      const { topicName, partition } = this.#partition
      throw new UnreadableBatchError({ topic: topicName, partition, offset: header.baseOffset }, cause)
    }
  }

  #expand(header: BatchHeader): void {
    if (header.compression === 'none') return
    this.#expandedBytes = Math.max(0, decodedBytes(this.#records) - (header.end - header.start))
    this.#intake.expand(this.#partition, this.#expandedBytes)
  }

  #closeCurrent(): void {
    const batch = this.#current
    if (batch === undefined) return
    this.#current = undefined
    this.#records = []
    this.#index = 0
    this.#freeExpanded()
    this.#freeBatch(batch)
    this.#passTo(batch.end)
  }

  #freeExpanded(): void {
    this.#intake.shrink(this.#partition, this.#expandedBytes)
    this.#freedBytes += this.#expandedBytes
    this.#expandedBytes = 0
  }

  #freeBatch({ chunk }: PendingBatch): void {
    if (--chunk.unfinishedBatches === 0) this.#freedBytes += chunk.buffer.length
  }

  /** Takes offsets that nobody handles; they are finished with what is out, or else at once. */
  #passTo(end: number): void {
    if (end <= this.tracker.taken) return
    const start = this.tracker.take(end)
    if (this.#outFrom < 0) this.tracker.finish(start, end)
  }
}

function decodedBytes(records: readonly DecodedRecord[]): number {
  let bytes = 0
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0)
  return bytes
}
