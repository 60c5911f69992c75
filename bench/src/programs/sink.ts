// One measurement of one way into PostgreSQL, in a process of its own.
import { Kafka, json, text, topic } from '@sluice/kafka'
import { postgresSink } from '@sluice/postgres'
import kafkajs from 'kafkajs'
import pg from 'pg'
import { answer, job } from '../in-process.ts'
import { CopyIn } from '../sink/copy-in.ts'
import { type Order, insertOrders, orderOf } from '../sink/orders.ts'

export type SinkWay = 'sink' | 'kafkajs' | 'copy'

export interface SinkJob {
  readonly way: SinkWay
  readonly bootstrap: string
  readonly url: string
  readonly topic: string
  readonly table: string
  readonly group: string
  readonly records: number
  readonly batch: number
  readonly connections: number
}

export interface SinkResult {
  /** From the first batch in hand to the last row committed. */
  readonly seconds: number
  readonly transactions: number
}

const given = job<SinkJob>()
const pool = new pg.Pool({ connectionString: given.url, max: given.connections + 1 })
let startedMs = 0
let rows = 0
let transactions = 0
const done = Promise.withResolvers<void>()

function began(): void {
  if (startedMs === 0) startedMs = performance.now()
}

function committed(count: number): void {
  transactions++
  rows += count
  if (rows >= given.records) done.resolve()
}

async function viaSink(): Promise<void> {
  const kafka = new Kafka({ brokers: [given.bootstrap], clientId: 'bench' })
  const sink = await postgresSink({
    kafka,
    pool,
    group: given.group,
    topics: [topic(given.topic, { key: text, value: json<Order>() })],
    reset: 'earliest',
    batchRecords: given.batch,
    concurrency: given.connections,
    relay: false,
    handler: async (tx, records) => {
      began()
      await insertOrders(
        tx,
        given.table,
        records.map(({ value }) => value),
      )
    },
  })
  sink.on('committed', ({ records }) => committed(records))
  sink.ended.catch(done.reject)
}

/** At least once: rows first, offsets afterwards. */
async function viaKafkajs(): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: [given.bootstrap], clientId: 'bench', logLevel: kafkajs.logLevel.ERROR })
  const consumer = client.consumer({ groupId: given.group, maxWaitTimeInMs: 250 })
  await consumer.connect()
  await consumer.subscribe({ topics: [given.topic], fromBeginning: true })
  await consumer.run({
    partitionsConsumedConcurrently: given.connections,
    eachBatchAutoResolve: false,
    eachBatch: async (payload) => {
      began()
      const { messages } = payload.batch
      for (let from = 0; from < messages.length; from += given.batch) {
        const part = messages.slice(from, from + given.batch)
        const orders = part.map(({ value }) => JSON.parse(value!.toString()) as Order)
        await insertOrders(pool, given.table, orders)
        payload.resolveOffset(part.at(-1)!.offset)
        await payload.commitOffsetsIfNecessary()
        await payload.heartbeat()
        committed(part.length)
      }
    },
  })
}

/** Without Kafka, in one transaction: the rows as fast as PostgreSQL takes them. */
async function viaCopy(): Promise<void> {
  const client = await pool.connect()
  began()
  const copy = new CopyIn(`COPY ${given.table} FROM STDIN`, given.records, (index) => orderOf(index))
  client.query(copy)
  await copy.ended
  committed(given.records)
}

await { sink: viaSink, kafkajs: viaKafkajs, copy: viaCopy }[given.way]()
await done.promise
answer({ seconds: (performance.now() - startedMs) / 1_000, transactions } satisfies SinkResult)
