// A member of a group whose effects are to happen once, by one of three ways, in a process of its own. Where the job says
// so it kills itself at a named point, or stops itself there as a frozen machine does, and tells when it goes on what
// became of the transaction that it was in: `woken won` or `woken refused`.
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { type ConsumerRecord, Kafka, outputTo, type TransactionStepMessage } from '@sluice/kafka'
import { type CrashPoint, postgresIdempotency, postgresSink, type Transaction, wrapHandler } from '@sluice/postgres'
import pg from 'pg'
import { addEffects, entriesOf, type Entry } from '../../system/support/effects.ts'
import type { FaultPoint, Way } from '../exactly-once/ways.ts'

export interface OnceMemberJob {
  readonly way: Way
  readonly bootstrap: string
  /** Of PostgreSQL. */
  readonly url: string
  readonly topic: string
  readonly group: string
  readonly name: string
  readonly stateDir: string
  /** How long it believes to be a member after its last heartbeat. */
  readonly sessionTimeoutMs: number
  /** Records in one transaction, at most. */
  readonly batch: number
  /** After which the brokers abort what a pipe leaves open. */
  readonly transactionTimeoutMs?: number
  readonly fault?: FaultPoint
}

const job = JSON.parse(process.argv[2]!) as OnceMemberJob
const { fault } = job
// Else it would be written when the process strikes itself, which may take a second.
flushCompileCache()
let passes = 0
let isOver = false

function reached(point: string): void {
  if (isOver || point !== fault?.at || passes++ < fault.survive) return
  isOver = true
  if (fault.thenMs === undefined || fault.thenMs === 0) strike()
  else setTimeout(strike, fault.thenMs)
}

let isWoken = false
function strike(): void {
  if (fault!.kind === 'kill') return void process.kill(process.pid, 'SIGKILL')
  // At once: a stopped process writes nothing.
  writeSync(1, 'freezing\n')
  process.kill(process.pid, 'SIGSTOP')
  isWoken = true
}

/** The first that is heard of a transaction after the freeze is what became of the one that was open. */
function heard(outcome: 'won' | 'refused', why: string): void {
  if (!isWoken) return
  isWoken = false
  console.log(`woken ${outcome} ${why}`)
}

const pool = new pg.Pool({ connectionString: job.url, max: 4 })
pool.on('error', () => {})
await using kafka = new Kafka({ brokers: job.bootstrap.split(','), clientId: job.name })
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
const member = {
  group: job.group,
  reset: 'earliest',
  instanceName: job.name,
  stateDir: job.stateDir,
  sessionTimeoutMs: job.sessionTimeoutMs,
  heartbeatIntervalMs: 300,
  commitIntervalMs: 100,
} as const
const source = entriesOf(job.topic)
const ways: Readonly<Record<Way, () => Promise<void>>> = { pipe, sink, handler }
await ways[job.way]()
await pool.end()

async function pipe(): Promise<void> {
  subscribe('sluice:transaction', (message) => reached((message as TransactionStepMessage).step))
  const [to, tenths] = [entriesOf(`${job.topic}-out`), entriesOf(`${job.topic}-tenths`)]
  await using running = await kafka.pipe({
    ...member,
    from: source,
    to,
    order: 'key',
    maxOutputs: job.batch,
    ...(job.transactionTimeoutMs !== undefined && { transactionTimeoutMs: job.transactionTimeoutMs }),
    handler: ({ key, value }) => {
      const output = { key, value }
      return value.id % 10 === 0 ? [output, outputTo(tenths, output)] : output
    },
  })
  running.on('committed', () => heard('won', 'committed'))
  running.on('aborted', ({ error }) => heard('refused', error.message))
  running.on('fenced', ({ error }) => heard('refused', error.message))
  tell((what, listener) => running.on(what, listener))
  running.on('error', tellError)
  stop.signal.addEventListener('abort', () => void running.close())
  console.log('started')
  await running.done
}

async function sink(): Promise<void> {
  subscribe('sluice:postgres:crash-point', (point) => reached(point as CrashPoint))
  await using running = await postgresSink({
    ...member,
    kafka,
    pool,
    topics: [source],
    batchRecords: job.batch,
    // Else the batch of another partition, answered meanwhile, would be the first that is heard of after a freeze.
    ...(fault?.kind === 'freeze' && { concurrency: 1 }),
    relay: false,
    handler: (tx, records) => addEffects(tx, job.topic, records),
  })
  running.consumer.on('committed', () => reached('kafka_committed'))
  // Its session had ended, seen at the next statement or at COMMIT: if the batch is done, its heir has done it.
  for (const what of ['retrying', 'settled'] as const) {
    running.on(what, () => heard('refused', 'its session had ended'))
  }
  running.on('committed', () => heard('won', 'committed'))
  running.on('fenced', () => heard('refused', 'fenced'))
  tell((what, listener) => running.consumer.on(what, listener))
  running.consumer.on('error', tellError)
  stop.signal.addEventListener('abort', () => void running.close())
  console.log('started')
  await running.ended
}

async function handler(): Promise<void> {
  await using consumer = await kafka.consumer({ ...member, topics: [source], order: 'key' })
  consumer.on('committed', () => reached('kafka_committed'))
  tell((what, listener) => consumer.on(what, listener))
  consumer.on('error', tellError)
  const store = postgresIdempotency({ pool })
  const once = wrapHandler<ConsumerRecord<string | null, Entry>, Transaction>(
    async (record, { tx }) => {
      reached('marked')
      await addEffects(tx, job.topic, [record])
      reached('effects_done')
    },
    { store, group: job.group },
  )
  console.log('started')
  await consumer.run(
    async (record, context) => {
      await once(record, context)
      reached('committed')
    },
    { signal: stop.signal },
  )
}

type Moved = { readonly partitions: readonly { readonly partition: number }[] }
type Movement = 'assigned' | 'revoked' | 'lost'

function tell(on: (what: Movement, listener: (event: Moved) => void) => unknown): void {
  for (const what of ['assigned', 'revoked', 'lost'] as const) {
    on(what, ({ partitions }) => console.log(`${what} ${partitions.map((one) => one.partition).join(' ')}`))
  }
}

function tellError({ during, error }: { readonly during: string; readonly error: unknown }): void {
  console.log(`error ${during} ${String(error)}`)
}
