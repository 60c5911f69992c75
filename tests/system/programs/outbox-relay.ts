// A relay in a process of its own, to be killed.
import { subscribe } from 'node:diagnostics_channel'
import { Kafka } from '@sluice/kafka'
import { outboxRelay, type RelayCrashPoint } from '@sluice/postgres'
import pg from 'pg'

export interface OutboxRelayJob {
  readonly bootstrap: string
  readonly url: string
  readonly batchRecords?: number
  readonly maxBuckets?: number
  readonly crashAt?: RelayCrashPoint
  /** Passes of the point that are survived. */
  readonly survive?: number
}

const { bootstrap, url, crashAt, survive = 0, ...options } = JSON.parse(process.argv[2]!) as OutboxRelayJob
let passes = 0
subscribe('sluice:postgres:crash-point', (point) => {
  if (point === crashAt && passes++ >= survive) process.kill(process.pid, 'SIGKILL')
})
const pool = new pg.Pool({ connectionString: url, max: 2 })
pool.on('error', () => {})
await using kafka = new Kafka({ brokers: bootstrap.split(','), clientId: 'relay' })
await using relay = await outboxRelay({ kafka, pool, ...options })
relay.on('sent', ({ rows }) => console.log(`sent ${rows}`))
for (const what of ['error', 'sendFailed', 'refused'] as const) {
  relay.on(what, ({ error }) => console.log(`${what} ${String(error)}`))
}
const asked = new Promise((resolve) => process.once('SIGTERM', resolve))
console.log('started')
await asked
await relay.close()
await pool.end()
