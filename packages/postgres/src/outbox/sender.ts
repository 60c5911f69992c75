import { bytes, type HeadersInput, type Kafka, type Producer, topic } from '@sluice/kafka'
import type { StoredRow } from './outbox-table.ts'

/** What became of a row. `failed`: it may be in its topic all the same. */
export type Sent = { readonly outcome: 'sent' } | { readonly outcome: 'refused' | 'failed'; readonly error: unknown }

const KEY_HEADER = 'idempotency-key'
/** A row may hold what any topic allows. */
const MAX_RECORD_BYTES = 64 * 1_048_576
/** Errors of a record alone: it will never be taken. */
const REFUSALS = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP'])

export interface SenderOptions {
  readonly kafka: Kafka
  /** For one row, until it is acknowledged. */
  readonly sendTimeoutMs: number
  /** Of the outbox: with the number of a row it makes the row's idempotency key. */
  readonly identity: string
}

/** Sends rows by an idempotent producer, which is opened with the first. */
export class Sender {
  readonly #options: SenderOptions
  #producer: Promise<Producer> | undefined

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** In their order; resolves with what became of each once all of it is known. */
  async send(rows: readonly StoredRow[]): Promise<Sent[]> {
    const producer = await this.#open()
    return await Promise.all(rows.map((row) => this.#sendOne(producer, row)))
  }

  async close(): Promise<void> {
    const producer = await this.#producer?.catch(() => undefined)
    await producer?.close({ timeoutMs: this.#options.sendTimeoutMs })
  }

  async #sendOne(producer: Producer, row: StoredRow): Promise<Sent> {
    const { key, value, partition, timestampMs } = row
    const target = topic(row.topic, { key: bytes, value: bytes })
    try {
      await producer.send(target, {
        key: key as Buffer | null,
        value: value as Buffer | null,
        headers: headersOf(row, this.#options.identity),
        ...(partition !== undefined && { partition }),
        ...(timestampMs !== undefined && { timestampMs }),
      })
      return { outcome: 'sent' }
    } catch (error) {
      return { outcome: isRefused(error) ? 'refused' : 'failed', error }
    }
  }

  #open(): Promise<Producer> {
    const limits = { maxRecordBytes: MAX_RECORD_BYTES, maxRequestBytes: MAX_RECORD_BYTES }
    this.#producer ??= this.#options.kafka
      .producer({
        ...limits,
        queue: { maxRecords: 100_000, highWatermark: 100_000, lowWatermark: 50_000, maxBytes: 2 * MAX_RECORD_BYTES },
        deliveryTimeoutMs: this.#options.sendTimeoutMs,
        requestTimeoutMs: this.#options.sendTimeoutMs,
        lingerMs: 0,
        addHeaders: false,
        // What fails stays in its row.
        deadLetters: false,
      })
      .catch((error: unknown) => {
        this.#producer = undefined
        throw error
      })
    return this.#producer
  }
}

/** A key that the writer gave itself, or that a dead letter brought along, is the one that counts. */
function headersOf({ id, headers }: StoredRow, identity: string): HeadersInput {
  const entries = headers as readonly (readonly [string, string | Uint8Array | null])[]
  return entries.some(([name]) => name === KEY_HEADER) ? headers : [...entries, [KEY_HEADER, `${identity}/${id}`]]
}

function isRefused(error: unknown): boolean {
  const { code, outcome, cause } = error as { code?: string; outcome?: string; cause?: { apiError?: string } }
  return code === 'record_too_large' || (outcome === 'refused' && REFUSALS.has(cause?.apiError ?? ''))
}
