// Keeps a balance for each account, each record counted once, whatever is killed in between.
import { json, Kafka, text, topic } from '@sluice/kafka'
import { migrate, postgresSink } from '@sluice/postgres'
import pg from 'pg'

const entries = topic('entries', { key: text, value: json<{ readonly amount: number }>() })

export async function ledger(kafka: Kafka, pool: pg.Pool) {
  await migrate(pool)
  return await postgresSink({
    kafka,
    pool,
    group: 'ledger',
    topics: [entries],
    reset: 'earliest',
    handler: (tx, records) =>
      tx.query(
        `INSERT INTO balances AS b (account, amount)
         SELECT account, sum(amount) FROM unnest($1::text[], $2::bigint[]) AS r (account, amount)
         GROUP BY account ORDER BY account
         ON CONFLICT (account) DO UPDATE SET amount = b.amount + excluded.amount`,
        [records.map(({ key }) => key), records.map(({ value }) => value.amount)],
      ),
  })
}

if (import.meta.main) {
  await using kafka = Kafka.fromEnv()
  await using sink = await ledger(kafka, new pg.Pool({ connectionString: process.env['DATABASE_URL'] }))
  await sink.ended
}
