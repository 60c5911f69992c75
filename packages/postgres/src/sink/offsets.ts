import { PositionChangedError } from '../errors.ts'
import { inTransaction, type Transaction, type TransactionSettings } from '../sql/transaction.ts'
import { explained, type Tables } from '../tables.ts'
import type { Claim } from './claim.ts'

interface Row {
  // pg gives 64-bit integers as text.
  readonly next: string | null
  readonly epoch: string
}

/**
 * The table of offsets: a row for each group, topic id and partition. Whoever is assigned a partition adds one to its
 * epoch; a batch moves `next` only where both are as its owner has left them.
 */
export class Offsets {
  readonly #group: string
  readonly #tables: Tables
  readonly #settings: TransactionSettings

  constructor(group: string, tables: Tables, settings: TransactionSettings) {
    this.#group = group
    this.#tables = tables
    this.#settings = settings
  }

  /** Takes these partitions from whoever had them, and learns where to begin. */
  async take(claims: readonly Claim[]): Promise<void> {
    const { offsets } = this.#tables
    const columns = [
      claims.map(({ held }) => held.topicId),
      claims.map(({ held }) => held.partition),
      claims.map(({ held }) => held.topic),
    ]
    // In the order of their keys, so that two that take the same do not wait for each other.
    const statement = `
      INSERT INTO ${offsets} AS o (group_id, topic_id, partition, topic, epoch)
      SELECT $1, t.topic_id, t.partition, t.topic, 1
      FROM unnest($2::uuid[], $3::integer[], $4::text[]) AS t (topic_id, partition, topic) ORDER BY 2, 3
      ON CONFLICT (group_id, topic_id, partition) DO UPDATE SET epoch = o.epoch + 1, topic = excluded.topic
      RETURNING topic_id, partition, next, epoch`
    type TakenRow = Row & { topic_id: string; partition: number }
    const rows = await this.#transact(
      async (tx) => (await tx.query<TakenRow>(statement, [this.#group, ...columns])).rows,
    )
    const byKey = new Map(rows.map((row) => [`${row.topic_id}/${row.partition}`, row]))
    for (const claim of claims)
      Object.assign(claim, numbersOf(byKey.get(`${claim.held.topicId}/${claim.held.partition}`)!))
  }

  /** Within the transaction of a batch. False: the partition is not ours, or not where we have left it. */
  async advance(tx: Transaction, { held, epoch, next }: Claim, to: number): Promise<boolean> {
    const { rowCount } = await tx.query(
      `UPDATE ${this.#tables.offsets} SET next = $4, updated_at = now()
       WHERE group_id = $1 AND topic_id = $2 AND partition = $3 AND epoch = $5 AND next IS NOT DISTINCT FROM $6`,
      [this.#group, held.topicId, held.partition, to, epoch, next],
    )
    return rowCount === 1
  }

  /**
   * Whether the batch up to `to` was committed, once that is certain: a transaction that still holds the row is waited
   * for. @throws PositionChangedError
   */
  async isCommitted(claim: Claim, to: number): Promise<boolean> {
    const row = await this.#transact((tx) => this.#lock(tx, claim))
    // Whoever has taken it since began where we had ended.
    if (row.epoch > claim.epoch) return row.next !== null && row.next >= to
    if (row.epoch === claim.epoch && row.next === to) return true
    if (row.epoch === claim.epoch && row.next === claim.next) return false
    throw new PositionChangedError(claim.place, claim.next, row.next)
  }

  /**
   * Takes a partition again that somebody else has taken, though it is ours.
   * @throws PositionChangedError where nobody has: then its row was changed by hand
   */
  async retake(claim: Claim): Promise<void> {
    const taken = await this.#transact(async (tx) => {
      const { epoch, next } = await this.#lock(tx, claim)
      const isBehind = claim.next !== null && (next === null || next < claim.next)
      if (epoch < claim.epoch || isBehind || (epoch === claim.epoch && next !== claim.next)) {
        throw new PositionChangedError(claim.place, claim.next, next)
      }
      await tx.query(
        `UPDATE ${this.#tables.offsets} SET epoch = $4 WHERE group_id = $1 AND topic_id = $2 AND partition = $3`,
        [this.#group, claim.held.topicId, claim.held.partition, epoch + 1],
      )
      return { epoch: epoch + 1, next }
    })
    Object.assign(claim, taken)
  }

  async #lock(tx: Transaction, claim: Claim): Promise<{ readonly next: number | null; readonly epoch: number }> {
    const { rows } = await tx.query<Row>(
      `SELECT next, epoch FROM ${this.#tables.offsets}
       WHERE group_id = $1 AND topic_id = $2 AND partition = $3 FOR UPDATE`,
      [this.#group, claim.held.topicId, claim.held.partition],
    )
    if (rows[0] === undefined) throw new PositionChangedError(claim.place, claim.next, undefined)
    return numbersOf(rows[0])
  }

  async #transact<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    try {
      return await inTransaction(this.#settings, work)
    } catch (error) {
      throw explained(error, this.#tables.offsets)
    }
  }
}

function numbersOf({ next, epoch }: Row): { readonly next: number | null; readonly epoch: number } {
  return { next: next === null ? null : Number(next), epoch: Number(epoch) }
}
