import { setTimeout as sleep } from 'node:timers/promises'
import { SpanStatusCode, trace } from '@opentelemetry/api'
import { type ConsumerRecord, json, Kafka, text, topic } from '@sluice/kafka'
import { migrate, Outbox, outboxRelay, postgresIdempotency, postgresSink, wrapHandler } from '@sluice/postgres'
import { type Stack, startStack } from '@sluice/stack'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ancestry, recordSpans, request } from './support/record-spans.ts'

let stack: Stack
let kafka: Kafka
let pool: pg.Pool
let spans: ReturnType<typeof recordSpans>

beforeAll(async () => {
  stack = await startStack({ kafka: true, postgres: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'tracing' })
  pool = new pg.Pool({ connectionString: stack.postgres.url, max: 12 })
  pool.on('error', () => {})
  await migrate(pool)
  await pool.query('CREATE TABLE shipments (value text)')
  spans = recordSpans()
})

afterAll(async () => {
  await kafka?.close()
  await pool?.end()
  await stack?.close()
  spans?.[Symbol.dispose]()
})

const within = { timeout: 60_000, interval: 50 }

const make = async (name: string) => {
  await kafka.admin().createTopics([{ name, partitions: 1 }])
  return topic(name, { key: text, value: text })
}

const activeTraceId = (): string | undefined => trace.getActiveSpan()?.spanContext().traceId

test('a request, what it sends, the row of an outbox and the row that comes of it are one trace', async () => {
  const [orders, invoices] = [await make('orders'), await make('invoices')]
  const outbox = new Outbox()
  const active: (string | undefined)[] = []
  await using producer = await kafka.producer()
  await using relay = await outboxRelay({ kafka, pool })
  await using ordering = await kafka.consumer({ group: 'ordering', topics: [orders], reset: 'earliest' })
  void ordering.run(async ({ key, value }) => {
    await sleep(5)
    active.push(activeTraceId())
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await outbox.insert(client, invoices, { key: key!, value })
      await client.query('COMMIT')
    } finally {
      client.release()
    }
    relay.wake()
  })
  await using shipping = await kafka.consumer({ group: 'shipping', topics: [invoices], reset: 'earliest' })
  const ship = wrapHandler(
    async ({ value }: ConsumerRecord<string | null, string | null>, { tx }) => {
      await tx.query('INSERT INTO shipments VALUES ($1)', [value])
      active.push(activeTraceId())
    },
    { store: postgresIdempotency({ pool }), group: 'shipping' },
  )
  void shipping.run(ship)

  const traceId = await request('POST /orders', () => producer.send(orders, { key: 'k', value: 'a book' }))
  await vi.waitFor(() => expect(spans.of(traceId).map(({ name }) => name)).toContain('process invoices'), within)

  const all = spans.of(traceId)
  expect(
    ancestry(
      all,
      all.find(({ name }) => name === 'process invoices'),
    ),
  ).toEqual(['process invoices', 'process orders', 'send orders', 'POST /orders'])
  expect(active).toEqual([traceId, traceId])
  const { rows } = await pool.query('SELECT value FROM shipments')
  expect(rows).toEqual([{ value: 'a book' }])
})

test('attempts, the retry topic, the dead letter and its replay are one trace', async () => {
  const tasks = await make('tasks')
  await using producer = await kafka.producer()
  await using consumer = await kafka.consumer({
    group: 'workers',
    topics: [tasks],
    reset: 'earliest',
    order: 'key',
    retry: { attempts: 3, initialMs: 20, topicAfterMs: 40 },
  })
  const active: (string | undefined)[] = []
  let isRepaired = false
  void consumer.run(async () => {
    await sleep(1)
    active.push(activeTraceId())
    if (!isRepaired) throw new RangeError('not yet')
  })
  const traceId = await request('POST /tasks', () => producer.send(tasks, { key: 'k', value: 'v' }))
  await vi.waitFor(() => expect(spans.of(traceId).map(({ name }) => name)).toContain('send tasks.dlq'), within)
  isRepaired = true
  expect(await kafka.deadLetters('tasks').replay()).toMatchObject({ replayed: 1 })
  await vi.waitFor(
    () => expect(spans.of(traceId).filter(({ name }) => name === 'process tasks')).toHaveLength(4),
    within,
  )

  const all = spans.of(traceId)
  const attempts = all.filter(({ name }) => name === 'process tasks')
  expect(attempts.map(({ attributes, status }) => [attributes['sluice.attempt'], status.message])).toEqual([
    [1, 'not yet'],
    [2, 'not yet'],
    [3, 'not yet'],
    [1, undefined],
  ])
  for (const attempt of attempts) expect(ancestry(all, attempt)).toEqual(['process tasks', 'send tasks', 'POST /tasks'])
  expect(active).toEqual(attempts.map(() => traceId))
  // What is written because an attempt failed is below that attempt.
  const writtenBy = (name: string) => all.filter((span) => span.name === name).map((span) => ancestry(all, span)[1])
  expect(writtenBy('send tasks.dlq')).toEqual(['process tasks'])
  // The second time it is the replay that sends.
  expect(writtenBy('send tasks.workers.retry')).toEqual(['process tasks', 'send tasks'])
})

test('what a pipe writes continues the trace of what it read', async () => {
  const [prices, sums] = [await make('prices'), await make('sums')]
  await using producer = await kafka.producer()
  await using pipe = await kafka.pipe({
    group: 'adding',
    from: prices,
    to: sums,
    reset: 'earliest',
    handler: async ({ key, value }) => {
      await sleep(1)
      return { key: key!, value: `${value} ${activeTraceId()}` }
    },
  })
  await using consumer = await kafka.consumer({ group: 'reading', topics: [sums], reset: 'earliest' })
  const read: (string | null)[] = []
  void consumer.run(({ value }) => read.push(value))
  const traceId = await request('POST /prices', () => producer.send(prices, { key: 'k', value: '7' }))
  await vi.waitFor(() => expect(spans.of(traceId).map(({ name }) => name)).toContain('process sums'), within)
  const all = spans.of(traceId)
  expect(
    ancestry(
      all,
      all.find(({ name }) => name === 'process sums'),
    ),
  ).toEqual(['process sums', 'process prices', 'send prices', 'POST /prices'])
  expect(read).toEqual([`7 ${traceId}`])
  await pipe.close()
})

test('a transaction carries the trace that was active when it was given its records', async () => {
  const notes = await make('notes')
  await using consumer = await kafka.consumer({ group: 'noting', topics: [notes], reset: 'earliest' })
  void consumer.run(() => undefined)
  await using producer = await kafka.transactionalProducer({ transactionalId: 'noting' })
  const traceId = await request('POST /notes', () =>
    producer.run((transaction) => transaction.send(notes, { value: 'note' })),
  )
  await vi.waitFor(() => expect(spans.of(traceId).map(({ name }) => name)).toContain('process notes'), within)
  const all = spans.of(traceId)
  expect(
    ancestry(
      all,
      all.find(({ name }) => name === 'process notes'),
    ),
  ).toEqual(['process notes', 'POST /notes'])
})

test('a sink writes a batch within one span, with links to the requests that its records are from', async () => {
  const entries = await make('entries')
  await using producer = await kafka.producer()
  const traceIds = [
    await request('POST /a', () => producer.send(entries, { key: 'k', value: 'a' })),
    await request('POST /b', () => producer.send(entries, { key: 'k', value: 'b' })),
  ]
  const active: (string | undefined)[] = []
  let calls = 0
  const sink = await postgresSink({
    kafka,
    pool,
    group: 'entering',
    topics: [entries],
    reset: 'earliest',
    handler: async (tx, records) => {
      await tx.query('INSERT INTO shipments SELECT unnest($1::text[])', [records.map(({ value }) => value)])
      active.push(activeTraceId())
      if (++calls === 1) throw new RangeError('not yet')
    },
  })
  await vi.waitFor(() => expect(spans.named('process entries').length).toBeGreaterThan(0), within)
  await sink.close()
  const [batch] = spans.named('process entries')
  expect(batch!.attributes['messaging.batch.message_count']).toBe(2)
  expect(batch!.links.map(({ context }) => context.traceId)).toEqual(traceIds)
  expect(active).toEqual([batch!.spanContext().traceId, batch!.spanContext().traceId])
  expect(batch!.status.code).toBe(SpanStatusCode.UNSET)
  expect(batch!.events).toMatchObject([
    { name: 'exception', attributes: { 'exception.type': 'RangeError', 'sluice.attempt': 1 } },
  ])
})

test('what a batch or a codec fails for becomes a dead letter in the trace of its own record', async () => {
  const numbers = await make('numbers')
  await using producer = await kafka.producer()
  const settings = { group: 'counting', topics: [numbers], reset: 'earliest', retry: { attempts: 1 } } as const
  const traceIds = [
    await request('POST /a', () => producer.send(numbers, { value: 'a' })),
    await request('POST /b', () => producer.send(numbers, { value: 'b' })),
  ]
  await using batches = await kafka.consumer(settings)
  void batches.run(() => Promise.reject(new Error('no')), { batch: true })
  const isUndecodable = { ...numbers, value: json<number>() }
  await using decoding = await kafka.consumer({ ...settings, group: 'decoding', topics: [isUndecodable] })
  void decoding.run(() => undefined)
  await vi.waitFor(() => expect(spans.named('send numbers.dlq')).toHaveLength(4), within)
  for (const traceId of traceIds) {
    const all = spans.of(traceId)
    const letters = all.filter(({ name }) => name === 'send numbers.dlq')
    expect(letters.map((letter) => ancestry(all, letter)[1])).toEqual(['send numbers', 'send numbers'])
  }
  const [batch] = spans.named('process numbers')
  expect(batch).toMatchObject({ status: { code: SpanStatusCode.ERROR, message: 'no' } })
  expect(batch!.links.map(({ context }) => context.traceId)).toEqual(traceIds)
})

test('a record that was handled before says so in its span', async () => {
  const charges = await make('charges')
  await using producer = await kafka.producer()
  const handle = wrapHandler(() => undefined, { store: postgresIdempotency({ pool }), group: 'charging' })
  await using consumer = await kafka.consumer({ group: 'charging', topics: [charges], reset: 'earliest' })
  void consumer.run(handle)
  for (let times = 0; times < 2; times++) await producer.send(charges, { value: 'v', idempotencyKey: 'charge-1' })
  await vi.waitFor(() => expect(spans.named('process charges')).toHaveLength(2), within)
  const duplicates = spans.named('process charges').map(({ attributes }) => attributes['sluice.duplicate'])
  expect(duplicates).toEqual([undefined, true])
})

test('with `tracing: false` a consumer begins no span, and neither do its dead letters', async () => {
  const quiet = await make('quiet')
  await using producer = await kafka.producer()
  const settings = {
    group: 'quiet',
    topics: [quiet],
    reset: 'earliest',
    retry: { attempts: 1 },
    tracing: false,
  } as const
  await using consumer = await kafka.consumer(settings)
  const written = new Promise((resolve) => consumer.on('deadLettered', resolve))
  void consumer.run(() => Promise.reject(new Error('no')))
  const traceId = await request('POST /quiet', () => producer.send(quiet, { value: 'v' }))
  await written
  expect(spans.of(traceId).map(({ name }) => name)).toEqual(['send quiet', 'POST /quiet'])
  const [letter] = await Array.fromAsync(kafka.deadLetters('quiet').list())
  expect(letter!.record.headers.get('traceparent')).toContain(traceId)
})
