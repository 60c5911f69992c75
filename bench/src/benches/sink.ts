import { Kafka, bytes, text, topic } from '@sluice/kafka'
import { migrate } from '@sluice/postgres'
import { startStack } from '@sluice/stack'
import pg from 'pg'
import { count, option } from '../bench.ts'
import { inProcess } from '../in-process.ts'
import type { SinkJob, SinkResult, SinkWay } from '../programs/sink.ts'
import { median, promise, publish, round } from '../report.ts'
import { columns, orderOf } from '../sink/orders.ts'

export const title = 'rows a second from Kafka into PostgreSQL, exactly once, beside kafkajs and COPY'

export const options = {
  rounds: option('5', 'interleaved rounds; the medians are reported'),
  records: option('300000', 'records of the backlog'),
  batch: option('1000', 'records in one transaction'),
  partitions: option('6', 'partitions of the topic'),
  connections: option('4', 'partitions handled at once'),
}

const ways: Readonly<Record<SinkWay, string>> = {
  sink: 'postgresSink, exactly once',
  kafkajs: 'kafkajs eachBatch, at least once, the same insert',
  copy: 'COPY alone, without Kafka',
}
const minRowsPerSecond = 40_000

// As Kafka's own start script has it, and a PostgreSQL that keeps what it has committed.
const jvmOptions = ['-Xms512m', '-Xmx512m', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']
const settings = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', max_wal_size: '4GB' }

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const rounds = count(args, 'rounds')
  const records = count(args, 'records')
  const batch = count(args, 'batch')
  const partitions = count(args, 'partitions')
  const connections = count(args, 'connections')
  await using stack = await startStack({ kafka: { jvmOptions }, postgres: { settings } })
  await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'bench' })
  const pool = new pg.Pool({ connectionString: stack.postgres.url, max: 2 })
  // The server goes first where a measurement fails: what failed is to be seen.
  pool.on('error', () => {})
  await migrate(pool)
  const name = 'bench-sink'
  await kafka.admin().createTopics([{ name, partitions }])
  console.log(`writing ${records} records`)
  await fill(kafka, name, records)
  const place = { bootstrap: stack.kafka.bootstrapServers, url: stack.postgres.url, topic: name }
  const results = new Map<SinkWay, number[]>()
  const order = Object.keys(ways) as SinkWay[]
  for (let number = 0; number < rounds; number++) {
    // Each round begins with another one.
    for (const way of [...order.slice(number % order.length), ...order.slice(0, number % order.length)]) {
      const table = `orders_${way}_${number}`
      await pool.query(`CREATE TABLE ${table} (${columns})`)
      const job: SinkJob = { ...place, way, table, group: table, records, batch, connections }
      const { seconds, transactions } = await inProcess<SinkResult>('sink.ts', job)
      const { rows } = await pool.query<{ count: string }>(`SELECT count(*) FROM ${table}`)
      if (Number(rows[0]!.count) !== records) throw new Error(`${table} has ${rows[0]!.count} rows, not ${records}`)
      await pool.query(`DROP TABLE ${table}`)
      await pool.query('CHECKPOINT')
      const rate = records / seconds
      results.set(way, [...(results.get(way) ?? []), rate])
      console.log(`round ${number + 1}/${rounds}  ${ways[way]}: ${round(rate)}/s in ${transactions} transactions`)
    }
  }
  await pool.end()
  report({ rounds, records, batch, partitions, connections }, results)
}

async function fill(kafka: Kafka, name: string, records: number): Promise<void> {
  // As the peer can read it.
  await using producer = await kafka.producer({ addHeaders: false, compression: 'none' })
  const target = topic(name, { key: text, value: bytes })
  const values = function* () {
    for (let id = 0; id < records; id++) yield { key: `${id}`, value: Buffer.from(JSON.stringify(orderOf(id))) }
  }
  for await (const _ of producer.sendAll(target, values(), { maxInFlight: 1_000 }));
}

function report(parameters: Readonly<Record<string, number>>, results: ReadonlyMap<SinkWay, readonly number[]>): void {
  const of = (way: SinkWay): number => median(results.get(way)!)
  const rows = [...results.keys()].map((way) => ({
    way: ways[way],
    'rows/s': round(of(way)),
    'to COPY': round(of(way) / of('copy')),
  }))
  const kept = promise('rows a second of the sink', of('sink'), '>=', minRowsPerSecond)
  publish({
    name: 'sink',
    parameters,
    tables: { 'rows a second': rows, 'what has to hold': [kept] },
    details: Object.fromEntries(results),
  })
  if (kept.holds === 'no') process.exitCode = 1
}
