import type { LaneTask, Timer, Token } from '@sluice/flow'
import type { DecodeError } from '../../errors.ts'
import type { ProcessSpan } from './process-tracing.ts'
import type { Output } from '../../outgoing/output.ts'
import type { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { OffsetPlace } from '../../record/places.ts'
import type { AssignedPartition } from '../partition.ts'

/** What a handler gets beside its record. */
export interface HandlerContext {
  /** Aborted when the handler timed out, its partition was taken away or the consumer was closed in a hurry. */
  readonly signal: AbortSignal
  /** 1 for the first call for a record. */
  readonly attempt: number
  /** Of the very topic that it is from: one that was deleted and created again has another. */
  readonly topicId: string
}

/** One call of the handler. */
export class Invocation implements HandlerContext {
  readonly partition: AssignedPartition
  /** A record, or a list of them for a handler of batches. */
  readonly input: ConsumerRecord | readonly ConsumerRecord[]
  readonly attempt: number
  /** The offsets that are finished with it. */
  readonly start: number
  readonly end: number
  /** Monotonic; set when the handler turned out to be asynchronous. */
  startedAtMs = 0
  /** Why it was aborted: a call that fails afterwards failed of that. */
  abortedBy: Error | undefined
  /** Nobody waits for it any more, whatever it still does. */
  abandoned = false
  /** Not to be handled before that: monotonic milliseconds, 0 for at once. */
  dueAtMs = 0
  /** Ends its back-off. */
  retryTimer: Timer | undefined
  /** Why its record has no value: it is not for the handler. */
  decodeError: DecodeError | undefined
  /** It waits without a slot until it is done elsewhere. */
  isHeld = false
  /** How often this attempt was put off, and whether it is again. */
  postponed = 0
  isPostponed = false
  /** What came of it, to be committed with it. */
  outputs: readonly Output[] | undefined
  /** Nothing more comes of this call: it has ended, or another one follows it. */
  isOver = false
  /** Its place in the lanes, where there are several to a partition, once it runs; until then `queued`. */
  task: LaneTask<Invocation> | undefined
  queued: LaneTask<Invocation> | undefined
  /** Its sample, where the concurrency is learnt. */
  token: Token | undefined
  /** Of its call, where somebody traces. */
  span: ProcessSpan | undefined
  #controller: AbortController | undefined

  constructor(
    partition: AssignedPartition,
    input: ConsumerRecord | readonly ConsumerRecord[],
    attempt: number,
    start: number,
    end: number,
  ) {
    this.partition = partition
    this.input = input
    this.attempt = attempt
    this.start = start
    this.end = end
  }

  /** Made when first looked at: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.abortedBy) this.#controller.abort(this.abortedBy)
    }
    return this.#controller.signal
  }

  abort(reason: Error): void {
    this.abortedBy ??= reason
    this.#controller?.abort(reason)
  }

  get topicId(): string {
    return (this.partition.retryOf ?? this.partition).topicId
  }

  /** The same input for the next attempt, or for this one where it was put off. */
  next(): Invocation {
    const attempt = this.isPostponed ? this.attempt : this.attempt + 1
    const next = new Invocation(this.partition, this.input, attempt, this.start, this.end)
    if (this.isPostponed) next.postponed = this.postponed + 1
    return next
  }

  /** The same call, later. */
  later(): Invocation {
    const later = new Invocation(this.partition, this.input, this.attempt, this.start, this.end)
    later.dueAtMs = this.dueAtMs
    later.postponed = this.postponed
    later.decodeError = this.decodeError
    return later
  }

  get records(): readonly ConsumerRecord[] {
    return Array.isArray(this.input) ? (this.input as readonly ConsumerRecord[]) : [this.input as ConsumerRecord]
  }

  get recordCount(): number {
    return Array.isArray(this.input) ? this.input.length : 1
  }

  /** Where it is, by its first record. */
  get place(): OffsetPlace {
    const first = Array.isArray(this.input) ? (this.input as readonly ConsumerRecord[])[0]! : this.input
    const { topic, partition, offset } = first as ConsumerRecord
    return { topic, partition, offset }
  }
}
