// A sink in a process of its own, which kills itself where the job says so.
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka } from '@sluice/kafka'
import { postgresSink, type CrashPoint } from '@sluice/postgres'
import pg from 'pg'
import { addEffects, entriesOf } from '../support/effects.ts'

export interface SinkMemberJob {
  readonly bootstrap: string
  readonly url: string
  readonly topic: string
  readonly group: string
  readonly name: string
  readonly stateDir?: string
  /** Also the last one, which only the consumer knows. */
  readonly crashAt?: CrashPoint | 'kafka_committed'
  /** Passes of the point that are survived. */
  readonly survive?: number
  readonly batchRecords?: number
  readonly sessionTimeoutMs?: number
  /** Stops itself there instead, once, as a frozen machine does. */
  readonly freezeAt?: CrashPoint
  /** Waits so long in each transaction. */
  readonly pauseMs?: number
}

const job = JSON.parse(process.argv[2]!) as SinkMemberJob
let passes = 0
const pass = (): void => {
  if (passes++ >= (job.survive ?? 0)) process.kill(process.pid, 'SIGKILL')
}
let isFrozen = false
const freeze = (): void => {
  if (isFrozen || passes++ < (job.survive ?? 0)) return
  isFrozen = true
  // At once: a stopped process writes nothing.
  writeSync(1, 'freezing\n')
  process.kill(process.pid, 'SIGSTOP')
}
subscribe('sluice:postgres:crash-point', (point) => {
  if (point === job.crashAt) pass()
  if (point === job.freezeAt) freeze()
})

const pool = new pg.Pool({ connectionString: job.url, max: 4 })
pool.on('error', () => {})
await using kafka = new Kafka({ brokers: job.bootstrap.split(','), clientId: job.name })
await using sink = await postgresSink({
  kafka,
  pool,
  group: job.group,
  topics: [entriesOf(job.topic)],
  reset: 'earliest',
  instanceName: job.name,
  commitIntervalMs: 100,
  batchRecords: job.batchRecords ?? 50,
  ...(job.stateDir !== undefined && { stateDir: job.stateDir }),
  ...(job.sessionTimeoutMs !== undefined && { sessionTimeoutMs: job.sessionTimeoutMs }),
  handler: async (tx, records) => {
    await addEffects(tx, job.topic, records)
    if (job.pauseMs !== undefined) await sleep(job.pauseMs)
  },
})
for (const what of ['committed', 'fenced', 'settled', 'retrying'] as const) {
  sink.on(what, (event) => console.log(`${what} ${JSON.stringify(event)}`))
}
sink.consumer.on('committed', () => {
  if (job.crashAt === 'kafka_committed') pass()
})
sink.consumer.on('assigned', ({ partitions }) => console.log(`assigned ${JSON.stringify(partitions)}`))
sink.consumer.on('lost', ({ partitions }) => console.log(`lost ${JSON.stringify(partitions)}`))
process.once('SIGTERM', () => void sink.close())
console.log('started')
await sink.ended
await pool.end()
