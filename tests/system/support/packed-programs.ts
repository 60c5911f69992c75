/** A program that shows that it reaches the brokers, once it has imported `Kafka`. */
export const listTopics = `
  const kafka = Kafka.fromEnv()
  const topics = await kafka.admin().listTopics()
  console.log(Array.isArray(topics) ? 'reached' : topics)
  await kafka.close()`

/** Adds up amounts in PostgreSQL by a sink, and sends the last of them by an outbox. */
export function postgresProgram(name: string): string {
  return `
    import { Kafka, json, text, topic } from '@sluice/kafka'
    import { Outbox, migrate, outboxRelay, postgresSink } from '@sluice/postgres'
    import pg from 'pg'
    const kafka = Kafka.fromEnv()
    const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
    const options = { kafka, pool, prefix: '${name}_' }
    await migrate(pool, { prefix: options.prefix })
    await pool.query('CREATE TABLE ${name} (amount int)')
    await kafka.admin().createTopics([{ name: '${name}', partitions: 1 }])
    const amounts = topic('${name}', { key: text, value: json() })
    const producer = await kafka.producer()
    for (const amount of [1, 2]) await producer.send(amounts, { key: 'a', value: amount })
    await new Outbox({ prefix: options.prefix }).insert(pool, amounts, { key: 'a', value: 4 })
    const relay = await outboxRelay(options)
    const done = Promise.withResolvers()
    const sink = await postgresSink({
      ...options, relay: false, group: '${name}', topics: [amounts], reset: 'earliest',
      handler: async (tx, records) => {
        for (const { value } of records) await tx.query('INSERT INTO ${name} VALUES ($1)', [value])
        if (records.some(({ value }) => value === 4)) done.resolve()
      },
    })
    await done.promise
    await sink.close()
    await relay.close()
    const { rows: [{ sum }] } = await pool.query('SELECT sum(amount) AS sum FROM ${name}')
    console.log(sum, 'done')
    await kafka.close()
    await pool.end()`
}
