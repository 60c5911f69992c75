import { BackpressureError } from '@sluice/flow'
import { messageOf, perPriority, priorities, Waiters } from '@sluice/flow/internal'
import type { BackpressureReason, Clock, Gate, PerPriority, Priority } from '@sluice/flow'
import type { Delivery } from '../../record/record.ts'
import type { Eviction } from './eviction.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'

export interface WaitForRoom {
  readonly signal: AbortSignal | undefined
  /** Infinity: as long as it takes. */
  readonly timeoutMs: number
}

export interface AdmissionParts {
  readonly gate: Gate
  readonly clock: Clock
  /** Callers that may wait at a time. */
  readonly maxWaiting: number
  readonly eviction: () => Eviction
  /** Why nothing leaves the queue, as far as is known. */
  readonly delayReason: () => Error | undefined
  /** It has its room. @throws where it is not wanted any more: then it gives its room back. */
  readonly accept: (topic: string, record: PendingRecord) => Promise<Delivery>
}

interface Candidate {
  readonly topic: string
  readonly record: PendingRecord
  delivery: Promise<Delivery> | undefined
}

/**
 * The door of the queue. Priority decides nothing until the queue is full: then a record of high priority evicts, and
 * whoever may wait stands in the line of its class, the high ones first, each class first come first served.
 */
export class Admission {
  readonly #parts: AdmissionParts
  readonly #lines: PerPriority<Waiters<Candidate>>
  readonly #shed: Record<BackpressureReason, number> = {
    old_message_dropped: 0,
    timeout_drop: 0,
    low_priority_drop: 0,
    waiting_full: 0,
  }
  #waiting = 0
  /** Somebody is being let in: the room that an eviction makes is for nobody else. */
  #isBusy = false
  /** Settled when all that wait are in, or gone. */
  #cleared = Promise.resolve()

  constructor(parts: AdmissionParts) {
    this.#parts = parts
    this.#lines = perPriority(() => new Waiters(parts.clock, () => this.letIn()))
  }

  /** Callers that wait for room. */
  get waiting(): number {
    return this.#lines.high.length + this.#lines.medium.length + this.#lines.low.length
  }

  /** Resolves when everybody who waits now is in or gone. Undefined: nobody waits. */
  get cleared(): Promise<void> | undefined {
    return this.#waiting > 0 ? this.#cleared : undefined
  }

  get shed(): Readonly<Record<BackpressureReason, number>> {
    return { ...this.#shed }
  }

  countEviction(): void {
    this.#shed.old_message_dropped++
  }

  /** Takes room if it is there, or can be made, and nobody waits who would go first. */
  tryEnter(record: PendingRecord): boolean {
    return (this.waiting === 0 || !this.#isBehindOthers(record.priority)) && this.#makeRoom(record)
  }

  /** Waits in line. @throws BackpressureError; the signal's reason; what `accept` throws */
  async wait(topic: string, record: PendingRecord, { signal, timeoutMs }: WaitForRoom): Promise<Delivery> {
    signal?.throwIfAborted()
    const timeoutError = (): Error => this.#refusal(record, timeoutMs)
    if (timeoutMs === 0) throw timeoutError()
    if (this.waiting >= this.#parts.maxWaiting) throw this.#fullError(record)
    const candidate: Candidate = { topic, record, delivery: undefined }
    await this.#tracked(this.#lines[record.priority].wait(candidate, { signal, timeoutMs, timeoutError }))
    return await candidate.delivery!
  }

  /** To be called when room was made. The most important first; one that finds no room holds back those behind it. */
  letIn(): void {
    if (this.#isBusy || this.waiting === 0) return
    for (const priority of priorities) {
      const line = this.#lines[priority]
      for (let candidate = line.peek(); candidate; candidate = line.peek()) {
        if (!this.#makeRoom(candidate.record)) return
        this.#letInFirst(line, candidate)
      }
    }
  }

  /** Sends everybody away who waits. */
  rejectAll(error: Error): void {
    for (const priority of priorities) this.#lines[priority].rejectAll(error)
  }

  #letInFirst(line: Waiters<Candidate>, candidate: Candidate): void {
    try {
      candidate.delivery = this.#parts.accept(candidate.topic, candidate.record)
      line.resolveFirst()
    } catch (error) {
      line.rejectFirst(error)
    }
  }

  #makeRoom({ bytes, priority }: PendingRecord): boolean {
    if (this.#parts.gate.tryAcquire(bytes)) return true
    if (priority !== 'high' || this.#isBusy) return false
    this.#isBusy = true
    try {
      return this.#parts.eviction().acquire(bytes)
    } finally {
      this.#isBusy = false
    }
  }

  /** Whether somebody as important or more waits. */
  #isBehindOthers(priority: Priority): boolean {
    for (const other of priorities) {
      if (this.#lines[other].length > 0) return true
      if (other === priority) return false
    }
    return false
  }

  /** Counts who waits until it goes on: it may have been let in and not have heard of it yet. */
  async #tracked(wait: Promise<void>): Promise<void> {
    const before = this.#cleared
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#cleared = promise
    this.#waiting++
    try {
      await wait
    } finally {
      this.#waiting--
      void before.then(resolve)
    }
  }

  #refusal(record: PendingRecord, timeoutMs: number): BackpressureError {
    return record.priority === 'low' && timeoutMs === 0
      ? this.#error('low_priority_drop', 'the queue is full, and a record of low priority does not wait', record)
      : this.#timeoutError(record, timeoutMs)
  }

  #timeoutError(record: PendingRecord, timeoutMs: number): BackpressureError {
    const cause = this.#parts.delayReason()
    const why = cause ? `: ${messageOf(cause)}` : ''
    return this.#error('timeout_drop', `no room within ${timeoutMs} ms${why}`, record, cause)
  }

  #fullError(record: PendingRecord): BackpressureError {
    return this.#error('waiting_full', `${this.#parts.maxWaiting} callers wait already`, record)
  }

  #error(
    reason: BackpressureReason,
    message: string,
    { priority, bytes }: PendingRecord,
    cause?: unknown,
  ): BackpressureError {
    this.#shed[reason]++
    const facts = { ...this.#parts.gate.inspect(), priority, recordBytes: bytes }
    return new BackpressureError(reason, message, facts, cause)
  }
}
