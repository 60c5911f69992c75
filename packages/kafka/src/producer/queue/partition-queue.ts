import { Ring } from '@sluice/flow/internal'
import type { Backoff } from '../../async/backoff.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'
import { RecordBatch } from './record-batch.ts'
import type { PartitionSequence } from '../../outgoing/sequence.ts'

/**
 * The records of one partition that are not settled, in order:
 *
 *     head (sealed) <- parts of a batch that came apart <- full batches <- open batch
 *
 * The head alone is ever sent, so one batch is in flight at most and order is kept through every retry.
 */
export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  /** Null: the producer is not idempotent. */
  readonly sequence: PartitionSequence | null
  #head: RecordBatch | undefined
  /** The next one last. */
  readonly #parts: RecordBatch[] = []
  readonly #full = new Ring<RecordBatch>()
  #open: RecordBatch | undefined
  /** The open batch waits for no more records. */
  #openIsDue = false
  /** The head is in a request that was not answered yet. */
  inFlight = false
  /** It stands in a line of the sender: a broker's, that of the leaderless, or that of a pause. */
  scheduled = false
  /** Nothing is sent before this monotonic time: the pause before a retry. */
  notBeforeMs = 0

  /** The pauses between the attempts at its head. */
  readonly #backoff: Backoff

  constructor(topic: string, partition: number, sequence: PartitionSequence | null, backoff: Backoff) {
    this.#backoff = backoff
    this.topic = topic
    this.partition = partition
    this.sequence = sequence
  }

  get head(): RecordBatch | undefined {
    return this.#head
  }

  get open(): RecordBatch | undefined {
    return this.#open
  }

  /** Batches that could be sent if the partition were free. */
  get backlog(): number {
    return (this.#head ? 1 : 0) + this.#parts.length + this.#full.length
  }

  get isEmpty(): boolean {
    return this.backlog === 0 && this.#open === undefined
  }

  /** Nothing of it waits, is in flight, or stands in a line of the sender. */
  get isIdle(): boolean {
    return this.isEmpty && !this.inFlight && !this.scheduled
  }

  /** Whether a batch waits for nothing but its turn. */
  get isDue(): boolean {
    return !this.inFlight && (this.backlog > 0 || (this.#openIsDue && this.#open !== undefined))
  }

  fitsOpen(record: PendingRecord, batchBytes: number): boolean {
    return this.#open !== undefined && this.#open.bytes + record.bytes <= batchBytes
  }

  openBatch(nowMs: number): RecordBatch {
    this.closeOpen()
    this.#open = new RecordBatch(nowMs)
    return this.#open
  }

  /** Ends the open batch: it takes no more records. */
  closeOpen(): void {
    if (this.#open) this.#full.push(this.#open)
    this.#dropOpen()
  }

  /** Ends the linger of the open batch: it is sent as soon as it can be, and takes records until then. */
  makeOpenDue(): void {
    this.#openIsDue = true
  }

  /** The batch to be sent now: the head, else the next one, which becomes the head. Undefined: nothing is due. */
  takeHead(): RecordBatch | undefined {
    if (!this.#head) {
      if (this.#parts.length === 0 && this.#full.length === 0 && this.#openIsDue) this.closeOpen()
      this.#head = this.#parts.pop() ?? this.#full.shift()
    }
    return this.#head
  }

  /** The head is settled, or is no longer ours to send. */
  dropHead(): void {
    this.#head = undefined
    this.inFlight = false
    this.notBeforeMs = 0
    this.#backoff.reset()
  }

  /** The head failed, and is tried again after the next pause. */
  pauseUntilRetry(nowMs: number): void {
    this.notBeforeMs = nowMs + this.#backoff.nextMs()
  }

  /** Puts its parts in the place of the head, in order. */
  replaceHead(parts: readonly RecordBatch[]): void {
    for (const part of parts.toReversed()) this.#parts.push(part)
    this.dropHead()
  }

  /** Takes out what was accepted at `untilMs` or before and was not sealed. Only where there is no head. */
  takeAcceptedUntil(untilMs: number): PendingRecord[] {
    const taken: PendingRecord[] = []
    for (let batch = this.#oldestUnsealed(); batch; batch = this.#oldestUnsealed()) {
      for (const record of batch.takeAcceptedUntil(untilMs)) taken.push(record)
      if (batch.records.length > 0) break
      this.#removeOldestUnsealed()
    }
    return taken
  }

  /** The batches without a sequence, the oldest first. The queue must not change on the way. */
  *unsealed(): Generator<RecordBatch, void, undefined> {
    yield* this.#parts.toReversed()
    yield* this.#full
    if (this.#open) yield this.#open
  }

  /** Takes a record out of one of the batches that are not sealed. */
  evict(record: PendingRecord, batch: RecordBatch): void {
    batch.remove(record)
    if (batch.records.length > 0) return
    const part = this.#parts.indexOf(batch)
    if (part >= 0) this.#parts.splice(part, 1)
    for (let left = this.#full.length; left > 0; left--) {
      const full = this.#full.shift()!
      if (full !== batch) this.#full.push(full)
    }
    if (this.#open === batch) this.#dropOpen()
  }

  /** When its oldest record was accepted; undefined where it has none. */
  get oldestAcceptedAtMs(): number | undefined {
    return (this.#head ?? this.#oldestUnsealed())?.records[0]?.acceptedAtMs
  }

  #oldestUnsealed(): RecordBatch | undefined {
    return this.#parts.at(-1) ?? this.#full.peek() ?? this.#open
  }

  #removeOldestUnsealed(): void {
    if (this.#parts.pop() || this.#full.shift()) return
    this.#dropOpen()
  }

  #dropOpen(): void {
    this.#open = undefined
    this.#openIsDue = false
  }
}
