import type { ConsumerRecord, Kafka } from '@sluice/kafka'
import { json, text, topic } from '@sluice/kafka'
import type { Transaction } from '@sluice/postgres'
import type pg from 'pg'

/** What the tests of the sink send: `amount` is counted for the key. */
export interface Entry {
  readonly id: number
  readonly amount: number
}

export const entriesOf = (name: string) => topic(name, { key: text, value: json<Entry>() })

export const keyOf = (id: number): string => `key-${id % 50}`
export const amountOf = (id: number): number => 1 + (id % 7)

/** Sends entries with these ids, and resolves once all are in the log. */
export async function sendEntries(kafka: Kafka, name: string, from: number, count: number): Promise<void> {
  await using producer = await kafka.producer({ addHeaders: false })
  const records = Array.from({ length: count }, (_, index) => {
    const id = from + index
    return { key: keyOf(id), value: { id, amount: amountOf(id) } }
  })
  for await (const _ of producer.sendAll(entriesOf(name), records, { maxInFlight: 1_000 }));
}

/** A table that takes an effect as often as it comes, and one that adds it up. */
export async function makeEffectTables(pool: pg.Pool, name: string): Promise<void> {
  await pool.query(`CREATE TABLE ${name} (id bigint, partition integer, "offset" bigint, amount bigint)`)
  await pool.query(`CREATE TABLE ${name}_sums (key text PRIMARY KEY, amount bigint NOT NULL)`)
}

/** What `sendEntries` has sent into a topic of one partition, as a handler gets it. */
export function handledEntries(from: number, count: number): HandledEntry[] {
  return Array.from({ length: count }, (_, index) => {
    const id = from + index
    return { key: keyOf(id), value: { id, amount: amountOf(id) }, partition: 0, offset: id }
  })
}

/** What the effects need of a record. */
type HandledEntry = Pick<ConsumerRecord<string | null, Entry>, 'key' | 'value' | 'partition' | 'offset'>

/** Both effects, in two statements for any number of records. */
export async function addEffects(tx: Transaction, name: string, records: readonly HandledEntry[]): Promise<void> {
  const ids = records.map(({ value }) => value.id)
  const amounts = records.map(({ value }) => value.amount)
  const places = [records.map(({ partition }) => partition), records.map(({ offset }) => offset)]
  await tx.query(`INSERT INTO ${name} SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::bigint[])`, [
    ids,
    ...places,
    amounts,
  ])
  await tx.query(
    `INSERT INTO ${name}_sums AS s (key, amount)
     SELECT key, sum(amount) FROM unnest($1::text[], $2::bigint[]) AS r (key, amount) GROUP BY key ORDER BY key
     ON CONFLICT (key) DO UPDATE SET amount = s.amount + excluded.amount`,
    [records.map(({ key }) => key), amounts],
  )
}

/** How the effects differ from those of ids 0 to `count`, each once. Empty: not at all. */
export async function effectAnomalies(
  pool: pg.Pool,
  name: string,
  count: number,
  isExpected: (id: number) => boolean = () => true,
): Promise<string[]> {
  const { rows } = await pool.query<{ id: string; times: string }>(
    `SELECT id, count(*) AS times FROM ${name} GROUP BY id`,
  )
  const times = new Map(rows.map((row) => [Number(row.id), Number(row.times)]))
  const sums = new Map<string, number>()
  const anomalies: string[] = []
  for (let id = 0; id < count; id++) {
    const expected = isExpected(id) ? 1 : 0
    const seen = times.get(id) ?? 0
    if (seen !== expected) anomalies.push(`${id} has ${seen} effects`)
    if (expected === 1) sums.set(keyOf(id), (sums.get(keyOf(id)) ?? 0) + amountOf(id))
    times.delete(id)
  }
  for (const id of times.keys()) anomalies.push(`${id} was never sent`)
  const added = await pool.query<{ key: string; amount: string }>(`SELECT key, amount FROM ${name}_sums`)
  for (const { key, amount } of added.rows) {
    if (Number(amount) !== sums.get(key)) anomalies.push(`${key} adds up to ${amount}, not to ${sums.get(key)}`)
    sums.delete(key)
  }
  for (const key of sums.keys()) anomalies.push(`${key} has no sum`)
  return anomalies
}

/** How many effects there are. */
export async function effectCount(pool: pg.Pool, name: string): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(`SELECT count(*) FROM ${name}`)
  return Number(rows[0]!.count)
}
