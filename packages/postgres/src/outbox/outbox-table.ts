import { advisoryLock } from '../sql/lock-key.ts'
import type { Transaction } from '../sql/transaction.ts'
import type { Tables } from '../tables.ts'
import { bucketOf, keyLock, readHeaders, storedHeaders, type OutboxRow, type StoredHeader } from './row.ts'

/** A row as it was read, with the number that orders it. */
export interface StoredRow extends OutboxRow {
  // A 64-bit integer, which pg gives as text.
  readonly id: string
  readonly bucket: number
}

interface Wire {
  readonly id: string
  readonly topic: string
  readonly partition: number | null
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly StoredHeader[]
  readonly timestamp_ms: string | null
}

/** The statements on the table of the outbox. */
export class OutboxTable {
  readonly #tables: Tables
  readonly #outbox: string

  constructor(tables: Tables) {
    this.#tables = tables
    this.#outbox = tables.outbox
  }

  /**
   * Adds rows, in their order. A key's writers wait for each other until they have committed: numbers are given before,
   * so that without it a later row could be seen, and sent, first.
   */
  async insert(tx: Transaction, rows: readonly OutboxRow[], isOrdered = true): Promise<void> {
    if (rows.length === 0) return
    if (isOrdered) await this.#lockKeys(tx, rows)
    const column = <V>(of: (row: OutboxRow) => V): V[] => rows.map(of)
    await tx.query(
      `INSERT INTO ${this.#outbox} (bucket, topic, partition, key, value, headers, timestamp_ms)
       SELECT t.bucket, t.topic, t.partition, t.key, t.value, t.headers::jsonb, t.timestamp_ms
       FROM unnest($1::smallint[], $2::text[], $3::integer[], $4::bytea[], $5::bytea[], $6::text[], $7::bigint[])
         WITH ORDINALITY AS t (bucket, topic, partition, key, value, headers, timestamp_ms, place)
       ORDER BY t.place`,
      [
        column(bucketOf),
        column(({ topic }) => topic),
        column(({ partition }) => partition ?? null),
        column(({ key }) => asBuffer(key)),
        column(({ value }) => asBuffer(value)),
        column(({ headers }) => JSON.stringify(storedHeaders(headers))),
        column(({ timestampMs }) => timestampMs ?? null),
      ],
    )
  }

  /** What tells this outbox from all others. */
  async identity(tx: Transaction): Promise<string> {
    const { rows } = await tx.query<{ id: string }>(`SELECT id FROM ${this.#tables.outboxIdentity}`)
    return rows[0]!.id
  }

  /** Those of the buckets that have something to send. */
  async waiting(tx: Transaction, buckets: readonly number[]): Promise<number[]> {
    const { rows } = await tx.query<{ bucket: number }>(
      `SELECT b.bucket FROM unnest($1::smallint[]) AS b (bucket)
       WHERE EXISTS (SELECT FROM ${this.#outbox} AS o WHERE o.bucket = b.bucket AND o.refused IS NULL)`,
      [buckets],
    )
    return rows.map(({ bucket }) => bucket)
  }

  /**
   * The first rows of a bucket, as many as are wanted and fit into `maxBytes`, but one at least. One that another session
   * still holds is waited for and not passed over: it is to be sent before those behind it.
   */
  async first(tx: Transaction, bucket: number, limit: number, maxBytes: number): Promise<StoredRow[]> {
    const { rows } = await tx.query<Wire>(
      `WITH sizes AS (
         SELECT id, coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) + pg_column_size(headers) AS size
         FROM ${this.#outbox} WHERE bucket = $1 AND refused IS NULL ORDER BY id LIMIT $2
       ), places AS (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM sizes)
       SELECT id, bucket, topic, partition, key, value, headers, timestamp_ms FROM ${this.#outbox}
       WHERE bucket = $1 AND refused IS NULL AND id <= (SELECT max(id) FROM places WHERE before < $3)
       ORDER BY id FOR UPDATE`,
      [bucket, limit, maxBytes],
    )
    return rows.map(({ id, topic, key, value, partition, headers, ...row }) => ({
      id,
      bucket,
      topic,
      key,
      value,
      partition: partition ?? undefined,
      headers: readHeaders(headers),
      timestampMs: row.timestamp_ms === null ? undefined : Number(row.timestamp_ms),
    }))
  }

  async delete(tx: Transaction, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await tx.query(`DELETE FROM ${this.#outbox} WHERE id = ANY ($1::bigint[])`, [ids])
  }

  /** Kafka will not take it: it stays, for somebody to look at, and is passed over. */
  async refuse(tx: Transaction, id: string, why: string): Promise<void> {
    await tx.query(`UPDATE ${this.#outbox} SET refused = $2 WHERE id = $1`, [id, why.replaceAll('\0', '')])
  }

  async #lockKeys(tx: Transaction, rows: readonly OutboxRow[]): Promise<void> {
    const locks = new Set(rows.flatMap((row) => keyLock(row) ?? []))
    if (locks.size === 0) return
    // In one order, so that two writers do not wait for each other.
    const sorted = [...locks].sort((a, b) => a - b)
    const lock = advisoryLock(this.#outbox, 'key', 'l')
    await tx.query(`SELECT pg_advisory_xact_lock(${lock}) FROM unnest($1::integer[]) AS l`, [sorted])
  }
}

function asBuffer(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
