import { type Clock } from '@sluice/flow'
import { orAborted, type Emitter } from '@sluice/flow/internal'
import {
  HandlerError,
  isDeadLetterTopic,
  noteFailedAttempt,
  type ConsumerRecord,
  type HandlerContext,
} from '@sluice/kafka'
import { crashPoint } from '../crash-points.ts'
import { CommitInDoubtError, FencedError, TransactionTimeoutError } from '../errors.ts'
import type { OutboxTable } from '../outbox/outbox-table.ts'
import { backoffMs } from '../sql/backoff.ts'
import { faultOf, isCanceled, isOfData, type Fault } from '../sql/fault.ts'
import { inTransaction, lend, type Transaction, type TransactionSettings } from '../sql/transaction.ts'
import type { Claim } from './claim.ts'
import { deadLetterRow } from './dead-letter.ts'
import { inspectable } from './inspectable.ts'
import type { SinkEvents } from './events.ts'
import { isolate } from './isolate.ts'
import type { Offsets } from './offsets.ts'
import { decodeError } from './tolerant-codec.ts'

/** What a handler of a sink gets beside the transaction and the records. */
export interface SinkContext {
  /** Aborted when the partition was taken away, or the sink was closed in a hurry. */
  readonly signal: AbortSignal
  /** 1 for the first time; from the second on the records may be a part of the batch. */
  readonly attempt: number
}

export type AnyHandler = (tx: Transaction, records: readonly ConsumerRecord[], context: SinkContext) => unknown

export interface BatchWriterOptions {
  readonly group: string
  readonly attempts: number
  readonly handler: AnyHandler
  readonly offsets: Offsets
  readonly outbox: OutboxTable
  readonly transactions: TransactionSettings
  readonly clock: Clock
  readonly events: Emitter<SinkEvents>
  /** Makes the topic of dead letters of a topic, where there is none. */
  readonly prepareDeadLetters: (topic: string) => Promise<void>
  readonly onDeadLetter: (record: ConsumerRecord, error: unknown) => void
}

interface Failed {
  readonly record: ConsumerRecord
  readonly error: unknown
}

/** One way to bring a batch into the database, and what came of it. */
interface Attempt {
  readonly records: readonly ConsumerRecord[]
  /** The offset behind the last of them. */
  readonly to: number
  readonly number: number
  readonly signal: AbortSignal
  /** The consumer's call that it is a part of. */
  readonly call: HandlerContext
  /** What fails for good. */
  readonly failed: Failed[]
  /** What the handler has thrown. */
  handlerError?: unknown
}

/**
 * Brings a batch of one partition into the database: in one transaction the position moves from where we have left it to
 * the end of the batch, and the handler has its effects. Tries until that is done, or until it turns out that somebody
 * else owns the partition.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions

  constructor(options: BatchWriterOptions) {
    this.#options = options
  }

  /**
   * @throws FencedError; PositionChangedError; the signal's reason; what no other record would fare better with; a
   * HandlerError for a dead letter that cannot be handled either
   */
  async write(claim: Claim, records: readonly ConsumerRecord[], call: HandlerContext): Promise<void> {
    const { signal } = call
    let number = 1
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      // What the row says is done may be more than we know: another owner went on while we were frozen.
      const left = records.filter(({ offset }) => claim.next === null || offset >= claim.next)
      if (left.length === 0) return
      const attempt: Attempt = { records: left, to: left.at(-1)!.offset + 1, number, signal, call, failed: [] }
      try {
        await this.#transact(claim, attempt)
        return this.#committed(claim, attempt)
      } catch (error) {
        if (signal.aborted && error === signal.reason) throw error
        if (error instanceof FencedError) await this.#reclaim(claim, signal)
        else if (isInDoubt(error)) {
          if (await this.#settle(claim, attempt)) return this.#committed(claim, attempt)
          await this.#failed(claim, attempt, tries, error)
        } else if (await this.#failed(claim, attempt, tries, error)) number++
      }
    }
  }

  async #transact(claim: Claim, attempt: Attempt): Promise<void> {
    const { offsets, outbox, transactions, prepareDeadLetters } = this.#options
    const { records, number, failed, to, signal } = attempt
    const { topic } = claim.held
    const readable: ConsumerRecord[] = []
    for (const record of records) {
      const error = decodeError(record)
      if (error === undefined) readable.push(record)
      else this.#giveUp(attempt, record, error)
    }
    if ((number > 1 || failed.length > 0) && !isDeadLetterTopic(topic)) await prepareDeadLetters(topic)
    const work = async (tx: Transaction): Promise<void> => {
      if (!(await offsets.advance(tx, claim, to))) throw new FencedError(claim.place)
      crashPoint('offsets_updated')
      if (number === 1) await this.#handle(tx, readable, attempt)
      else await this.#isolate(tx, readable, attempt)
      crashPoint('effects_done')
      await outbox.insert(
        tx,
        failed.map((one) => this.#deadLetter(one, number)),
      )
    }
    await inTransaction({ ...transactions, signal }, work, () => crashPoint('before_commit'))
    crashPoint('committed')
  }

  async #handle(tx: Transaction, records: readonly ConsumerRecord[], attempt: Attempt): Promise<void> {
    if (records.length === 0) return
    const { signal, number } = attempt
    try {
      await lend(tx, (lent) => this.#options.handler(lent, records, { signal, attempt: number }))
    } catch (thrown) {
      const error = inspectable(thrown)
      attempt.handlerError = error
      throw error
    }
  }

  /** The last attempt, and one that could bring nothing new, gives up single records; an earlier one all of it. */
  async #isolate(tx: Transaction, records: readonly ConsumerRecord[], attempt: Attempt): Promise<void> {
    const call = (part: readonly ConsumerRecord[]): Promise<void> => this.#handle(tx, part, attempt)
    await isolate(tx, records, call, (record, error) => {
      if (attempt.number < this.#options.attempts && !isOfData(error)) throw error
      this.#giveUp(attempt, record, error)
    })
  }

  #giveUp({ failed, number }: Attempt, record: ConsumerRecord, error: unknown): void {
    // Dead letters of dead letters would only go in circles.
    if (isDeadLetterTopic(record.topic)) throw new HandlerError(record, number, error)
    failed.push({ record, error })
  }

  #deadLetter({ record, error }: Failed, attempts: number) {
    const { group, clock } = this.#options
    return deadLetterRow(record, { group, attempts, error, failedAtMs: Math.floor(clock.now()) })
  }

  #committed(claim: Claim, { records, to, failed, number }: Attempt): void {
    const { events, onDeadLetter } = this.#options
    claim.next = to
    events.emit('committed', { ...claim.place, records: records.length, next: to })
    for (const { record, error } of failed) {
      events.emit('deadLettered', { ...claim.place, offset: record.offset, attempts: number, error })
      onDeadLetter(record, error)
    }
  }

  /** Whether the next attempt is to be another one, and not this one again. @throws the error, where none can help */
  async #failed(claim: Claim, attempt: Attempt, tries: number, error: unknown): Promise<boolean> {
    const { clock, events, attempts } = this.#options
    const { number, signal, call } = attempt
    const fault = faultIn(attempt, error)
    // Once single records are given up, nothing that is a record's fault is left to be thrown.
    const hasGivenUp = number > 1 && number >= attempts
    if (fault === 'other' || (fault === 'record' && hasGivenUp)) throw error
    const retryInMs = backoffMs(tries, 50, 5_000)
    events.emit('retrying', { ...claim.place, fault, attempt: number, retryInMs, error })
    noteFailedAttempt(call, number, error)
    await clock.sleep(retryInMs, signal)
    return fault === 'record'
  }

  /** Finds out what has become of a COMMIT, however long that takes. */
  async #settle(claim: Claim, { to, signal }: Attempt): Promise<boolean> {
    const { offsets, events } = this.#options
    const isDone = await this.#persist(signal, () => offsets.isCommitted(claim, to))
    events.emit('settled', { ...claim.place, next: to, committed: isDone })
    return isDone
  }

  /** Takes the partition's row again, if the partition is ours. @throws FencedError where it is not */
  async #reclaim(claim: Claim, signal: AbortSignal): Promise<void> {
    const { offsets, events } = this.#options
    // It was taken away while its transaction ran.
    const ownership = signal.aborted
      ? 'gone'
      : await this.#persist(signal, async () => {
          const answer = await claim.held.confirm()
          return answer === 'unknown' ? undefined : answer
        })
    events.emit('fenced', { ...claim.place, kept: ownership === 'mine' })
    if (ownership === 'gone') throw new FencedError(claim.place)
    await this.#persist(signal, async () => {
      await offsets.retake(claim)
      return true
    })
  }

  /** Again while there is no answer, or only a passing error. */
  async #persist<T>(signal: AbortSignal, ask: () => Promise<T | undefined>): Promise<T> {
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      try {
        const answer = await orAborted(ask(), signal)
        if (answer !== undefined) return answer
      } catch (error) {
        if (faultOf(error) !== 'transient') throw error
      }
      await this.#options.clock.sleep(backoffMs(tries, 50, 2_000), signal)
    }
  }
}

function faultIn({ handlerError }: Attempt, error: unknown): Fault {
  if (error instanceof HandlerError) return 'other'
  // Fewer records take less time. Our own statements are stopped for waiting for others.
  return error === handlerError && isCanceled(error) ? 'record' : faultOf(error)
}

/** A connection that was closed for taking too long may have had its COMMIT under way. */
function isInDoubt(error: unknown): boolean {
  return error instanceof CommitInDoubtError || error instanceof TransactionTimeoutError
}
