import { Kafka, text, topic } from '@sluice/kafka'
import { migrate, outboxRelay, postgresSink } from '@sluice/postgres'
import { type Stack, startStack } from '@sluice/stack'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SwallowingProxy } from './support/swallowing-proxy.ts'

let stack: Stack

beforeAll(async () => {
  stack = await startStack({ kafka: true, postgres: true })
})

afterAll(async () => {
  await stack?.close()
})

const timeoutMs = 1_000
/** What closing may take beyond its time. */
const graceMs = 500

/** A pool whose connections go through a proxy that can become a black hole. */
async function proxiedPool() {
  const url = new URL(stack.postgres.url)
  const proxy = await SwallowingProxy.open(0, Number(url.port))
  url.host = `127.0.0.1:${proxy.port}`
  const pool = new pg.Pool({ connectionString: url.href, max: 4 })
  pool.on('error', () => {})
  return { proxy, pool }
}

async function tookMs(work: Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work.catch(() => {})
  return performance.now() - startedMs
}

test('a sink and a relay close in their time beside a PostgreSQL that hangs, and keep no connection', async () => {
  const { proxy, pool } = await proxiedPool()
  await migrate(pool)
  await migrate(pool, { prefix: 'other_' })
  await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers] })
  const from = topic('hanging', { key: text, value: text })
  await kafka.admin().createTopics([{ name: 'hanging', partitions: 1 }])
  await using producer = await kafka.producer()
  await producer.send(from, { key: 'a', value: '1' })
  const relay = await outboxRelay({ kafka, pool, prefix: 'other_' })
  const hangs = Promise.withResolvers<void>()
  const sink = await postgresSink({
    kafka,
    pool,
    group: 'hanging',
    reset: 'earliest',
    topics: [from],
    handler: async (tx) => {
      proxy.swallow()
      hangs.resolve()
      await tx.query('SELECT 1')
    },
  })
  await hangs.promise
  const [ofSink, ofRelay] = await Promise.all([tookMs(sink.close({ timeoutMs })), tookMs(relay.close({ timeoutMs }))])
  expect(ofSink).toBeLessThan(timeoutMs + graceMs)
  expect(ofRelay).toBeLessThan(timeoutMs + graceMs)
  // Ending the pool waits for its connections: none may be left in a transaction that nobody waits for.
  expect(pool.totalCount - pool.idleCount).toBe(0)
  await proxy[Symbol.asyncDispose]()
  await pool.end()
})

test('a sink and a relay do not wait for ever for a PostgreSQL that hangs when they are opened', async () => {
  const { proxy, pool } = await proxiedPool()
  await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers] })
  proxy.swallow()
  const topics = [topic('hanging', { key: text, value: text })]
  const sink = postgresSink({ kafka, pool, group: 'never', topics, handler: () => {}, transactionTimeoutMs: 1_000 })
  await expect(sink).rejects.toMatchObject({ code: 'transaction_timed_out' })
  await proxy[Symbol.asyncDispose]()
  await pool.end()
})
