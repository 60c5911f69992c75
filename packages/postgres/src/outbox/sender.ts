import type { Clock } from '@sluice/flow'
import {
  bytes,
  DeadLetterRefusedError,
  type HeadersInput,
  type Kafka,
  topic,
  type TransactionalProducer,
} from '@sluice/kafka'
import { TransactionTimeoutError } from '../errors.ts'
import { before } from '../sql/transaction.ts'
import { type OversizePolicy, RefusedLetters, sourceOf } from './letters.ts'
import type { StoredRow } from './outbox-table.ts'

/** What became of a row. `failed`: it may be in its topic all the same. */
export type Sent = { readonly outcome: 'sent' } | { readonly outcome: 'refused' | 'failed'; readonly error: unknown }

const KEY_HEADER = 'idempotency-key'
/** Errors of a record alone: it will never be taken. */
const REFUSALS = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP'])
const SENT: Sent = { outcome: 'sent' }

export interface SenderOptions {
  readonly kafka: Kafka
  readonly clock: Clock
  /** For the rows of one bucket, until they are committed: also where some are refused, and the others are sent apart. */
  readonly sendTimeoutMs: number
  /** Of the outbox: with the number of a row it makes the row's idempotency key. */
  readonly identity: string
  /** What becomes of a dead letter that its topic is too small for. */
  readonly oversize: OversizePolicy
}

/**
 * Sends rows in transactions, those of each bucket under an id of its own. Whoever has locked a bucket opens that id
 * first: what its predecessor had under way is aborted, and what of it comes late is refused. Those of one session.
 */
export class Sender {
  readonly #options: SenderOptions
  readonly #producers = new Map<number, Promise<TransactionalProducer>>()
  readonly #letters: RefusedLetters

  constructor(options: SenderOptions) {
    this.#options = options
    this.#letters = new RefusedLetters(options.kafka, options.clock, options.oversize)
  }

  /** In their order, all at once unless some are refused; resolves with what became of each. */
  async send(bucket: number, rows: readonly StoredRow[]): Promise<Sent[]> {
    return await this.#send(bucket, rows, this.#options.clock.monotonicMs() + this.#options.sendTimeoutMs)
  }

  async #send(bucket: number, rows: readonly StoredRow[], deadlineMs: number): Promise<Sent[]> {
    try {
      await this.#write(bucket, rows, deadlineMs)
      return rows.map(() => SENT)
    } catch (error) {
      if (!isRefusal(error)) return rows.map(() => failed(error))
      if (rows.length > 1) return await this.#sendHalves(bucket, rows, deadlineMs)
      return [await this.#sendAgain(bucket, rows[0]!, error, deadlineMs)]
    }
  }

  async #write(bucket: number, rows: readonly StoredRow[], deadlineMs: number): Promise<void> {
    const { clock, sendTimeoutMs } = this.#options
    const leftMs = deadlineMs - clock.monotonicMs()
    if (leftMs <= 0) throw new TransactionTimeoutError(sendTimeoutMs)
    const opening = this.#open(bucket)
    const written = opening.then((producer) => {
      // One that opens late has fenced its successor: what it was opened for must not be written behind that one's rows.
      if (this.#producers.get(bucket) !== opening) throw new TransactionTimeoutError(sendTimeoutMs)
      return producer.run((transaction) => {
        for (const row of rows) transaction.send(topic(row.topic, { key: bytes, value: bytes }), this.#recordOf(row))
      })
    })
    try {
      await before(clock, leftMs, written)
    } catch (error) {
      // The next one fences it, with whatever it still does.
      if (!isRefusal(error)) this.#discard(bucket)
      throw error
    }
  }

  /** Kafka will not take one of them: it is found, and the others go on, in their order. */
  async #sendHalves(bucket: number, rows: readonly StoredRow[], deadlineMs: number): Promise<Sent[]> {
    const half = rows.length >> 1
    const first = await this.#send(bucket, rows.slice(0, half), deadlineMs)
    const rest = rows.slice(half)
    const failure = first.find(({ outcome }) => outcome === 'failed')
    return [...first, ...(failure ? rest.map(() => failure) : await this.#send(bucket, rest, deadlineMs))]
  }

  /**
   * What is known of its topic may be old: a row counts as refused when a producer refuses it that has asked again. A dead
   * letter is written in the form in which its topic takes it.
   */
  async #sendAgain(bucket: number, row: StoredRow, refusal: unknown, deadlineMs: number): Promise<Sent> {
    const source = sourceOf(row)
    if (source !== undefined) return await this.#sendLetter(source, row, deadlineMs)
    if (!isForeseen(refusal)) return { outcome: 'refused', error: refusal }
    this.#discard(bucket)
    try {
      await this.#write(bucket, [row], deadlineMs)
      return SENT
    } catch (error) {
      return isRefusal(error) ? { outcome: 'refused', error } : failed(error)
    }
  }

  /** Without a transaction: readers of letters meet one twice where the relay is killed before its row is deleted. */
  async #sendLetter(source: string, row: StoredRow, deadlineMs: number): Promise<Sent> {
    const leftMs = Math.max(0, deadlineMs - this.#options.clock.monotonicMs())
    try {
      await this.#letters.write(source, row, this.#headersOf(row), leftMs)
      return SENT
    } catch (error) {
      return error instanceof DeadLetterRefusedError && !error.retriable ? { outcome: 'refused', error } : failed(error)
    }
  }

  /** Those that are still at work are not waited for: their successors fence them. */
  close(): void {
    this.#letters.close()
    for (const bucket of this.#producers.keys()) this.#discard(bucket)
  }

  #open(bucket: number): Promise<TransactionalProducer> {
    const { kafka, identity } = this.#options
    let producer = this.#producers.get(bucket)
    if (producer === undefined) {
      producer = kafka.transactionalProducer({
        transactionalId: `sluice-outbox.${identity}.${bucket}`,
        // A row carries the trace that it was written in; the one that is active here is of whoever opened the relay.
        tracing: false,
      })
      this.#producers.set(bucket, producer)
    }
    return producer
  }

  #discard(bucket: number): void {
    const producer = this.#producers.get(bucket)
    this.#producers.delete(bucket)
    producer?.then((opened) => opened.close({ timeoutMs: 0 })).catch(() => {})
  }

  #headersOf({ id, headers }: StoredRow): HeadersInput {
    return withKey(headers, `${this.#options.identity}/${id}`)
  }

  #recordOf(row: StoredRow) {
    const { key, value, partition, timestampMs } = row
    return {
      key: key as Buffer | null,
      value: value as Buffer | null,
      headers: this.#headersOf(row),
      ...(partition !== undefined && { partition }),
      ...(timestampMs !== undefined && { timestampMs }),
    }
  }
}

/** A key that the writer gave itself, or that a dead letter brought along, is the one that counts. */
function withKey(headers: HeadersInput, key: string): HeadersInput {
  const entries = headers as readonly (readonly [string, string | Uint8Array | null])[]
  return entries.some(([name]) => name === KEY_HEADER) ? headers : [...entries, [KEY_HEADER, key]]
}

function failed(error: unknown): Sent {
  return { outcome: 'failed', error }
}

/** By the broker, or before by what is known of its topic: too large, no key, no such partition, no such time. */
function isRefusal(error: unknown): boolean {
  const { outcome, cause } = error as { outcome?: string; cause?: { apiError?: string } }
  // A topic that was created again with fewer partitions shows it only when it is written to.
  const isRefused = REFUSALS.has(cause?.apiError ?? '') || isForeseen(cause)
  return isForeseen(error) || (outcome === 'aborted' && isRefused)
}

function isForeseen(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: string }
  return code === 'record_too_large' || code === 'config_invalid'
}
