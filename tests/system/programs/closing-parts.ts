// Everything that can be closed, at work, each on a `Kafka` of its own. Closes all of it side by side when it is told to
// (SIGTERM), prints how long each took, and has to end by itself afterwards: nothing may keep the process alive.
import { subscribe } from 'node:diagnostics_channel'
import { Kafka, text, topic } from '@sluice/kafka'
import { outboxRelay, Outbox, postgresSink } from '@sluice/postgres'
import pg from 'pg'

export interface ClosingPartsJob {
  readonly bootstrap: string
  readonly url: string
  readonly name: string
  readonly timeoutMs: number
}

/** How long each close took, and what it said. */
export type Closed = Readonly<Record<string, { readonly tookMs: number; readonly said: unknown }>>

const job = JSON.parse(process.argv[2]!) as ClosingPartsJob
const from = topic('closing', { key: text, value: text })
const to = topic('closed', { key: text, value: text })
const pool = new pg.Pool({ connectionString: job.url, max: 8 })
pool.on('error', () => {})
const kafkas: Kafka[] = []

function newKafka(): Kafka {
  const kafka = new Kafka({ brokers: [job.bootstrap], clientId: job.name })
  kafkas.push(kafka)
  return kafka
}

const groupOptions = (part: string) => ({ group: `${job.name}-${part}`, reset: 'earliest' as const })

/** Resolves when it has handled something, and so is a member that has something to commit. */
async function openConsumer(kafka: Kafka, part: string) {
  const handled = Promise.withResolvers<void>()
  const consumer = await kafka.consumer({ ...groupOptions(part), topics: [from] })
  void consumer.run(() => handled.resolve()).catch(() => {})
  await handled.promise
  return consumer
}

async function openPipe(kafka: Kafka, part: string) {
  const handled = Promise.withResolvers<void>()
  const pipe = await kafka.pipe({
    ...groupOptions(part),
    from,
    to,
    handler: ({ key, value }) => {
      handled.resolve()
      return { key, value }
    },
  })
  pipe.done.catch(() => {})
  await handled.promise
  return pipe
}

async function openSink(kafka: Kafka) {
  const handled = Promise.withResolvers<void>()
  const sink = await postgresSink({
    kafka,
    pool,
    ...groupOptions('sink'),
    topics: [from],
    handler: () => handled.resolve(),
  })
  sink.ended.catch(() => {})
  await handled.promise
  return sink
}

/** It has a record in its queue whenever it is closed. */
async function openProducer(kafka: Kafka) {
  const producer = await kafka.producer()
  await producer.send(to, { key: 'a', value: 'b' })
  return producer
}

async function openTransactional(kafka: Kafka, part: string) {
  const producer = await kafka.transactionalProducer({ transactionalId: `${job.name}-${part}` })
  await producer.run((transaction) => transaction.send(to, { key: 'a', value: 'b' }))
  return producer
}

async function openReader(kafka: Kafka) {
  const reader = await kafka.reader({ topics: [from], follow: true })
  const read = Promise.withResolvers<void>()
  const iterating = (async () => {
    for await (const _ of reader) read.resolve()
  })()
  iterating.catch(() => {})
  await read.promise
  return { reader, iterating }
}

const closed: Record<string, { tookMs: number; said: unknown }> = {}

async function timed(part: string, close: () => Promise<unknown>): Promise<void> {
  const startedMs = performance.now()
  const said = await close().catch((error: unknown) => String(error))
  closed[part] = { tookMs: Math.round(performance.now() - startedMs), said }
}

const [consumer, pipe, sink, producer, transactional, reading] = await Promise.all([
  openConsumer(newKafka(), 'consumer'),
  openPipe(newKafka(), 'pipe'),
  openSink(newKafka()),
  openProducer(newKafka()),
  openTransactional(newKafka(), 'transactional'),
  openReader(newKafka()),
])
const relay = await outboxRelay({ kafka: newKafka(), pool, prefix: 'closing_' })
const whole = newKafka()
const inWhole = await Promise.all([
  openConsumer(whole, 'whole-consumer'),
  openPipe(whole, 'whole-pipe'),
  openProducer(whole),
  openTransactional(whole, 'whole-transactional'),
  openReader(whole),
])

const begun = Promise.withResolvers<void>()
process.once('SIGUSR2', () => begun.resolve())
const alive = setInterval(() => {}, 60_000)
console.log('ready')
await begun.promise
clearInterval(alive)
// What is under way when it is closed.
for (const one of [producer, inWhole[2]]) one.send(to, { key: 'last', value: 'record' }).catch(() => {})
for (const one of [transactional, inWhole[3]]) {
  one.run((transaction) => transaction.send(to, { key: 'last', value: 'record' })).catch(() => {})
}
const sending = Promise.withResolvers<void>()
subscribe('sluice:postgres:crash-point', (point) => point === 'rows_read' && sending.resolve())
await new Outbox({ prefix: 'closing_' }).insert(pool, to, { key: 'last', value: 'row' })
relay.wake()
await sending.promise
const { timeoutMs } = job
await Promise.all([
  timed('consumer', () => consumer.close({ timeoutMs })),
  timed('pipe', () => pipe.close({ timeoutMs })),
  timed('sink', () => sink.close({ timeoutMs })),
  timed('producer', () => producer.close({ timeoutMs })),
  timed('transactional producer', () => transactional.close({ timeoutMs })),
  timed('reader', async () => {
    await reading.reader.close()
    await reading.iterating.catch(() => {})
  }),
  timed('outbox relay', () => relay.close({ timeoutMs })),
  timed('Kafka', () => whole.close({ timeoutMs })),
])
await Promise.all([...kafkas.map((kafka) => kafka.close({ timeoutMs: 0 })), pool.end()])
console.log(`closed ${JSON.stringify(closed)}`)
