// A member in a process of its own that reads hostile topics in one of the four ways, with a bound on its memory. It
// says what became of each offset when it is asked to end (SIGTERM): one JSON line.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumer, type Kafka as KafkaClient, Kafka, bytes, topic } from '@sluice/kafka'
import { migrate, postgresSink } from '@sluice/postgres'
import pg from 'pg'
import { Coverage, type CoverageJson } from '../hostile/coverage.ts'

export interface HostileMemberJob {
  readonly way: HostileWay
  readonly bootstrap: string
  readonly url: string
  readonly topics: readonly string[]
  readonly group: string
  /** Where a pipe writes, and where a sink keeps what it handled. */
  readonly output: string
  readonly gateBytes: number
}

export type HostileWay = 'partition' | 'key' | 'pipe' | 'sink'

export interface HostileMemberReport {
  /** What a handler ended well for; of a pipe and a sink the output says it. */
  readonly handled: CoverageJson
  readonly unreadable: CoverageJson
  /** Told as dead-lettered. */
  readonly lettered: CoverageJson
  /** Resident memory beyond that of the process when it started to read, at most. */
  readonly growthMiB: number
  readonly problems: readonly string[]
}

const MiB = 2 ** 20
const job = JSON.parse(process.argv[2]!) as HostileMemberJob
const handled = new Coverage()
const unreadable = new Coverage()
const lettered = new Coverage()
const problems = new Set<string>()
const sources = job.topics.map((name) => topic(name, { key: bytes, value: bytes }))
const common = {
  group: job.group,
  reset: 'earliest',
  gate: { maxBytes: job.gateBytes },
  commitIntervalMs: 200,
} as const
const retry = { attempts: 2, initialMs: 1, maxMs: 10 }

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: Buffer | null
}

/** What begins with F fails for good. */
function judge({ value }: Place): void {
  if (value !== null && value[0] === 70) throw new Error('this record fails by its value')
}

function handle(record: Place): void {
  judge(record)
  handled.add(record.topic, record.partition, record.offset)
}

type Observed = Pick<Consumer<never>, 'on'>

function observe(reading: Observed): void {
  reading.on('unreadable', ({ topic: name, partition, offset, endOffset }) => {
    unreadable.addRange(name, partition, offset, endOffset)
  })
  reading.on('deadLettered', ({ topic: name, partition, offset }) => lettered.add(name, partition, offset))
  reading.on('deadLetterFailed', ({ topic: name, error }) => problems.add(`${name}: no letter yet: ${String(error)}`))
  reading.on('error', ({ during, error }) => problems.add(`${during}: ${String(error)}`))
}

async function startConsumer(kafka: KafkaClient, order: 'partition' | 'key') {
  const consumer = await kafka.consumer({ ...common, topics: sources, order, retry })
  observe(consumer)
  return { ended: consumer.run(handle), close: () => consumer.close() }
}

async function startPipe(kafka: KafkaClient) {
  const to = topic(job.output, { key: bytes, value: bytes })
  const pipe = await kafka.pipe({
    ...common,
    from: sources,
    to,
    retry,
    handler: (record) => {
      judge(record)
      const { topic: name, partition, offset, key, value, timestampMs } = record
      return { key, value, headers: { from: `${name}/${partition}/${offset}` }, timestampMs }
    },
  })
  observe(pipe as unknown as Observed)
  pipe.on('aborted', ({ error }) => problems.add(`aborted: ${String(error)}`))
  return { ended: pipe.done, close: () => pipe.close() }
}

async function startSink(kafka: KafkaClient) {
  const pool = new pg.Pool({ connectionString: job.url, max: 8 })
  pool.on('error', () => {})
  await migrate(pool)
  await pool.query(`CREATE TABLE IF NOT EXISTS ${job.output} (topic text, partition integer, "offset" bigint)`)
  const sink = await postgresSink({
    ...common,
    kafka,
    pool,
    topics: sources,
    attempts: 2,
    handler: async (tx, records) => {
      records.forEach(judge)
      const column = <V>(of: (record: Place) => V): V[] => records.map(of)
      await tx.query(`INSERT INTO ${job.output} SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])`, [
        column((record) => record.topic),
        column((record) => record.partition),
        column((record) => record.offset),
      ])
    },
  })
  observe(sink.consumer)
  sink.on('deadLettered', ({ topic: name, partition, offset }) => lettered.add(name, partition, offset))
  const lettersAreSent = async (): Promise<boolean> => {
    const { rows } = await pool.query<{ count: string }>('SELECT count(*) FROM sluice_outbox WHERE refused IS NULL')
    return rows[0]?.count === '0'
  }
  const close = async (): Promise<void> => {
    while (!(await lettersAreSent())) await sleep(100)
    const { rows } = await pool.query<{ topic: string; refused: string }>(
      'SELECT topic, refused FROM sluice_outbox WHERE refused IS NOT NULL',
    )
    for (const { topic: name, refused } of rows) problems.add(`${name}: refused: ${refused}`)
    await sink.close()
    await pool.end()
  }
  return { ended: sink.ended, close }
}

const starts = {
  partition: (kafka: KafkaClient) => startConsumer(kafka, 'partition'),
  key: (kafka: KafkaClient) => startConsumer(kafka, 'key'),
  pipe: startPipe,
  sink: startSink,
}

await using kafka = new Kafka({ brokers: job.bootstrap.split(','), clientId: `hostile-${job.way}` })
const asked = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()))
const firstBytes = process.memoryUsage.rss()
let mostBytes = firstBytes
const sampling = setInterval(() => (mostBytes = Math.max(mostBytes, process.memoryUsage.rss())), 50)
const { ended, close } = await starts[job.way](kafka)
ended.catch((error: unknown) => {
  console.log(`ended ${String(error)}`)
})
console.log('started')
await Promise.race([asked, ended])
await Promise.race([close(), sleep(30_000)])
clearInterval(sampling)
const report: HostileMemberReport = {
  handled: handled.toJson(),
  unreadable: unreadable.toJson(),
  lettered: lettered.toJson(),
  growthMiB: Math.round((mostBytes - firstBytes) / MiB),
  problems: [...problems].slice(0, 20),
}
console.log(`report ${JSON.stringify(report)}`)
