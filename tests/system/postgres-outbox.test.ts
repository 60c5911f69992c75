import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bytes, type ConsumerRecord, Kafka, text, topic } from '@sluice/kafka'
import { migrate, Outbox, outboxRelay, relayCrashPoints } from '@sluice/postgres'
import { type BrokerAddress, type Stack, startStack } from '@sluice/stack'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { OutboxRelayJob } from './programs/outbox-relay.ts'
import { Child, fromSource } from './support/child.ts'
import { freePort, HoldingProxy } from './support/holding-proxy.ts'
import { readTopic } from './support/read-topic.ts'

let stack: Stack
let kafka: Kafka
let pool: pg.Pool
let proxyPort: number
/** Of the listener behind the proxy. */
let behindPort: number
const outbox = new Outbox()

beforeAll(async () => {
  proxyPort = await freePort()
  behindPort = await freePort()
  // A second listener is advertised at the proxy's port: who bootstraps there stays there.
  const properties = ({ port, controllerPort }: BrokerAddress) => ({
    listeners: `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${behindPort},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxyPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
  })
  stack = await startStack({ kafka: { properties }, postgres: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'postgres-outbox' })
  pool = new pg.Pool({ connectionString: stack.postgres.url, max: 24 })
  pool.on('error', () => {})
  await migrate(pool)
})

afterAll(async () => {
  await kafka?.close()
  await pool?.end()
  await stack?.close()
})

afterEach(async () => {
  await pool.query('TRUNCATE sluice_outbox')
})

const within = { timeout: 60_000, interval: 50 }

/** Runs `work` in a transaction; `end` says how it ends. */
async function transact(work: (tx: pg.PoolClient) => Promise<unknown>, end: 'COMMIT' | 'ROLLBACK' = 'COMMIT') {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await work(client)
    await client.query(end)
    client.release()
  } catch (error) {
    client.release(true)
    throw error
  }
}

async function rowsLeft(): Promise<number> {
  const { rows } = await pool.query<{ count: string }>('SELECT count(*) FROM sluice_outbox')
  return Number(rows[0]!.count)
}

const untilEmpty = () => vi.waitFor(async () => expect(await rowsLeft()).toBe(0), within)

const make = async (name: string, partitions = 3) => {
  await kafka.admin().createTopics([{ name, partitions }])
  return topic(name, { key: text, value: text })
}

describe('records of an outbox', () => {
  test('reach Kafka if their transaction commits, as they were written, with a key of their own', async () => {
    const notes = await make('notes')
    await transact((tx) => outbox.insert(tx, notes, { key: 'a', value: 'never' }), 'ROLLBACK')
    await transact(async (tx) => {
      await outbox.insert(tx, notes, [
        { key: 'a', value: 'one', headers: { plain: 'text', raw: Buffer.from([0, 255]) }, timestampMs: 1_234 },
        { value: 'two', partition: 2 },
      ])
      await outbox.insert(tx, notes, { key: 'a', value: 'three', headers: { 'idempotency-key': 'mine' } })
    })
    await using relay = await outboxRelay({ kafka, pool })
    const found = await readTopic(kafka, notes, 3)
    await untilEmpty()
    await relay.close()
    const [one, three, two] = found.toSorted((a, b) => (a.value! < b.value! ? -1 : 1))
    expect(one).toMatchObject({ key: 'a', value: 'one', timestampMs: 1_234 })
    expect(one!.headers.get('plain')).toBe('text')
    expect(one!.headers.getBytes('raw')).toEqual(Buffer.from([0, 255]))
    expect(one!.headers.get('idempotency-key')).toMatch(/^[\da-f-]{36}\/\d+$/)
    expect(two).toMatchObject({ key: null, value: 'two', partition: 2 })
    expect(three).toMatchObject({ value: 'three', partition: one!.partition })
    expect(three!.headers.get('idempotency-key')).toBe('mine')
  })

  test('wait for a topic that is not there, and those of other buckets do not wait for them', async () => {
    const there = await make('there')
    const later = topic('later', { key: text, value: text })
    await transact((tx) => outbox.insert(tx, later, { key: 'x', value: 'early' }))
    await transact((tx) =>
      outbox.insert(
        tx,
        there,
        Array.from({ length: 40 }, (_, index) => ({ key: `${index}`, value: `${index}` })),
      ),
    )
    await using relay = await outboxRelay({ kafka, pool, sendTimeoutMs: 1_000 })
    const failed: string[] = []
    relay.on('sendFailed', ({ topic: name }) => failed.push(name))
    await readTopic(kafka, there, 30)
    await vi.waitFor(() => expect(failed).toContain('later'), within)
    await make('later')
    await readTopic(kafka, later, 1)
    await untilEmpty()
  })

  test('that Kafka will never take stay with the reason, and those behind them go on', async () => {
    await kafka.admin().createTopics([{ name: 'small', partitions: 1, configs: { 'max.message.bytes': '1000' } }])
    const small = topic('small', { key: text, value: text })
    await transact((tx) =>
      outbox.insert(tx, small, [
        { key: 'k', value: 'fits' },
        { key: 'k', value: randomBytes(2_000).toString('base64') },
        { key: 'k', value: 'fits as well' },
      ]),
    )
    await using relay = await outboxRelay({ kafka, pool })
    const found = await readTopic(kafka, small, 2)
    expect(found.map(({ value }) => value)).toEqual(['fits', 'fits as well'])
    await vi.waitFor(async () => expect(await rowsLeft()).toBe(1), within)
    await relay.close()
    const { rows } = await pool.query<{ refused: string }>('SELECT refused FROM sluice_outbox')
    expect(rows[0]!.refused).toMatch(/RecordTooLargeError|MESSAGE_TOO_LARGE/)
  })

  test.each<[what: string, configs: Record<string, string>, bad: Record<string, unknown>, why: RegExp]>([
    [
      'without the key that a compacted topic asks for',
      { 'cleanup.policy': 'compact' },
      {},
      /key is null, but must be given: refuses-for is compacted/,
    ],
    [
      'too far ahead',
      { 'message.timestamp.after.max.ms': '3600000' },
      { key: 'k', timestampMs: 4e12 },
      /timestampMs is 4000000000000, but must be at most 3600000 ms ahead/,
    ],
    [
      'too old',
      { 'message.timestamp.before.max.ms': '3600000' },
      { key: 'k', timestampMs: 1 },
      /timestampMs is 1, but must be at most 3600000 ms old/,
    ],
    ['for a partition that is not there', {}, { key: 'k', partition: 7 }, /partition/],
  ])('a row %s stays with the reason, and the others go on', async (what, configs, bad, why) => {
    const name = `refuses-${what.split(' ').at(-1)}`
    await kafka.admin().createTopics([{ name, partitions: 1, configs }])
    const target = topic(name, { key: text, value: text })
    const rows = Array.from({ length: 32 }, (_, index) => ({ key: `${index}`, value: `${index}` }))
    const badRows = Array.from({ length: 4 }, (_, index) => ({ ...bad, value: `bad ${index}` }))
    await transact((tx) =>
      outbox.insert(
        tx,
        target,
        rows.flatMap((row, n) => (n % 8 === 3 ? [badRows[n >> 3]!, row] : [row])),
      ),
    )
    await using relay = await outboxRelay({ kafka, pool })
    const refused: string[] = []
    relay.on('refused', ({ error }) => refused.push(String(error)))
    const found = await readTopic(kafka, target, 32)
    expect(new Set(found.map(({ value }) => value))).toEqual(new Set(rows.map(({ value }) => value)))
    await vi.waitFor(async () => expect(await rowsLeft()).toBe(4), within)
    await vi.waitFor(() => expect(relay.inspect()).toMatchObject({ sentRows: 32, refusedRows: 4 }), within)
    expect(refused).toEqual(Array.from({ length: 4 }, () => expect.stringMatching(why)))
  })

  test('are read as far as they fit into memory', async () => {
    const large = await make('large', 1)
    const value = 'x'.repeat(900_000)
    await transact((tx) =>
      outbox.insert(
        tx,
        large,
        Array.from({ length: 24 }, () => ({ key: 'k', value })),
      ),
    )
    await using relay = await outboxRelay({ kafka, pool })
    const sent: number[] = []
    relay.on('sent', ({ rows }) => sent.push(rows))
    await untilEmpty()
    await vi.waitFor(() => expect(sent.reduce((sum, rows) => sum + rows, 0)).toBe(24), within)
    // 16 MiB, and the one that is partly beyond.
    expect(sent[0]).toBe(19)
  })

  test('of one table have one order, whether its schema is named or found', async () => {
    const named = new Outbox({ schema: 'public' })
    const shared = topic('shared', { key: text, value: text })
    await transact(async (tx) => {
      await named.insert(tx, shared, { key: 'k', value: 'first' })
      await transact(async (other) => {
        await other.query("SET LOCAL lock_timeout = '100ms'")
        await expect(outbox.insert(other, shared, { key: 'k', value: 'second' })).rejects.toMatchObject({
          code: '55P03',
        })
      }, 'ROLLBACK')
    }, 'ROLLBACK')
    await using relay = await outboxRelay({ kafka, pool, schema: 'public' })
    await vi.waitFor(() => expect(relay.inspect().buckets).toHaveLength(16), within)
    await using other = await outboxRelay({ kafka, pool })
    await other.close()
    expect(other.inspect().buckets).toEqual([])
  })

  test('a table that is not there is told, and so is a setting that makes no sense', async () => {
    await expect(outboxRelay({ kafka, pool, prefix: 'no_' })).rejects.toMatchObject({ code: 'tables_missing' })
    await expect(outboxRelay({ kafka, pool, maxBuckets: 17 })).rejects.toMatchObject({ field: 'maxBuckets' })
    await expect(outboxRelay({ kafka, pool, pollIntervalMs: 10_000 })).rejects.toMatchObject({
      field: 'pollIntervalMs',
    })
    for (const [field, value] of [
      ['timestampMs', -1],
      ['partition', 2 ** 31],
      ['partition', 0.5],
    ] as const) {
      const bad = transact((tx) => outbox.insert(tx, topic('t', { value: text }), { value: 'v', [field]: value }))
      await expect(bad).rejects.toMatchObject({ code: 'config_invalid', field, value })
    }
    const elsewhere = new Outbox({ prefix: 'no_' })
    const insert = transact((tx) => elsewhere.insert(tx, topic('t', { value: text }), { value: 'v' }))
    await expect(insert).rejects.toMatchObject({ code: 'tables_missing' })
  })
})

/**
 * Each transaction writes `begin` and `end` for its key, and the version that it has given to it. As they were committed,
 * no transaction's records stand between those of another of the same key.
 */
function anomaliesIn(found: readonly ConsumerRecord<string | null, string | null>[], written: ReadonlySet<string>) {
  const anomalies: string[] = []
  const seen = new Set<string>()
  const last = new Map<string, { readonly what: string; readonly name: string; readonly version: number }>()
  for (const { key, value } of found) {
    // One that was sent again after a kill comes with its successors behind it: the first time is what counts.
    if (seen.has(value!)) continue
    seen.add(value!)
    const [what, name, number] = value!.split(' ') as [string, string, string]
    const before = last.get(key!) ?? { what: 'end', name: '', version: -1 }
    const version = what === 'begin' ? before.version : Number(number)
    const fits = what === 'begin' ? before.what === 'end' : before.name === name && version === before.version + 1
    if (!fits) anomalies.push(`${key}: ${value} after ${before.what} ${before.name} ${before.version}`)
    last.set(key!, { what, name, version })
  }
  for (const value of written) if (!seen.has(value)) anomalies.push(`lost ${value}`)
  for (const value of seen) if (!written.has(value)) anomalies.push(`never committed ${value}`)
  return anomalies
}

test('sixteen writers of the same keys, and a relay that is killed again and again: no row is lost, none overtakes another of its key', async () => {
  const contended = await make('contended', 4)
  await pool.query('CREATE TABLE counters (key text PRIMARY KEY, version integer NOT NULL)')
  const keys = Array.from({ length: 40 }, (_, index) => `key-${String(index).padStart(2, '0')}`)
  await pool.query('INSERT INTO counters SELECT unnest($1::text[]), -1', [keys])
  const written = new Set<string>()
  const writer = async (number: number): Promise<void> => {
    for (let count = 0; count < 60; count++) {
      const key = keys[(number * 7 + count * 11) % keys.length]!
      const isAbandoned = count % 10 === 9
      const values = [`begin ${number}.${count}`]
      await transact(
        async (tx) => {
          await outbox.insert(tx, contended, { key, value: values[0]! })
          await sleep((number * count) % 7)
          const { rows } = await tx.query<{ version: number }>(
            'UPDATE counters SET version = version + 1 WHERE key = $1 RETURNING version',
            [key],
          )
          values.push(`end ${number}.${count} ${rows[0]!.version}`)
          await outbox.insert(tx, contended, { key, value: values[1]! })
        },
        isAbandoned ? 'ROLLBACK' : 'COMMIT',
      )
      if (!isAbandoned) for (const value of values) written.add(value)
    }
  }
  const file = join(import.meta.dirname, 'programs', 'outbox-relay.ts')
  const job: OutboxRelayJob = { bootstrap: stack.kafka.bootstrapServers, url: stack.postgres.url, batchRecords: 40 }
  const start = (crash: Partial<OutboxRelayJob> = {}) =>
    new Child(...fromSource(file, [JSON.stringify({ ...job, ...crash })]))
  const writing = Promise.all(Array.from({ length: 16 }, (_, number) => writer(number)))
  for (let kills = 0; kills < 6; kills++) {
    await using relay = start({ crashAt: relayCrashPoints[kills % 3]!, survive: kills })
    expect((await relay.ended).signal).toBe('SIGKILL')
  }
  await writing
  // Two that share the buckets.
  await using left = start()
  await using right = start()
  await untilEmpty()
  await Promise.all([left.kill('SIGTERM'), right.kill('SIGTERM')])
  await using reader = await kafka.reader({ topics: [contended] })
  const found: ConsumerRecord<string | null, string | null>[] = []
  for await (const record of reader) found.push(record)
  expect(written.size).toBe(2 * 16 * 54)
  expect(anomaliesIn(found, written)).toEqual([])
})

test('without the order of keys, writers do not wait for each other', async () => {
  const free = topic('free', { key: text, value: bytes })
  const first = await pool.connect()
  await first.query('BEGIN')
  await outbox.insert(first, free, { key: 'k', value: null }, { ordered: false })
  await transact((tx) => outbox.insert(tx, free, { key: 'k', value: null }, { ordered: false }))
  await outbox.insert(first, free, { key: 'k', value: null })
  await transact(async (tx) => {
    await tx.query("SET LOCAL lock_timeout = '100ms'")
    await expect(outbox.insert(tx, free, { key: 'k', value: null })).rejects.toMatchObject({ code: '55P03' })
  }, 'ROLLBACK')
  await first.query('ROLLBACK')
  first.release()
})

test('what a relay had under way when it was cut off arrives late, and is refused: its rows are there once, in order', async () => {
  const late = await make('late', 1)
  // All of one key, and so of one bucket and one partition.
  const insert = (...values: string[]) =>
    transact((tx) =>
      outbox.insert(
        tx,
        late,
        values.map((value) => ({ key: 'k', value })),
      ),
    )
  await using proxy = await HoldingProxy.open(proxyPort, behindPort)
  const file = join(import.meta.dirname, 'programs', 'outbox-relay.ts')
  const job: OutboxRelayJob = { bootstrap: `127.0.0.1:${proxyPort}`, url: stack.postgres.url }
  await using cutOff = new Child(...fromSource(file, [JSON.stringify(job)]))
  await insert('a')
  await cutOff.line((line) => line === 'sent 1')
  proxy.hold()
  await insert('b', 'c')
  // It has sent them, or so it believes.
  await vi.waitFor(() => expect(proxy.heldBytes).toBeGreaterThan(0), within)
  await cutOff.kill()
  await using heir = await outboxRelay({ kafka, pool })
  await untilEmpty()
  proxy.release()
  await insert('d')
  await untilEmpty()
  await heir.close()
  const found = await readTopic(kafka, late, 4)
  await using reader = await kafka.reader({ topics: [late], isolation: 'read_uncommitted' })
  const all: (string | null)[] = []
  for await (const { value } of reader) all.push(value)
  expect(found.map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd'])
  expect(all).toEqual(['a', 'b', 'c', 'd'])
})

test('a relay that is frozen loses its buckets to another one, and does no harm when it wakes up', async () => {
  const frozen = await make('frozen', 1)
  const insert = (value: string) => transact((tx) => outbox.insert(tx, frozen, { key: 'k', value }))
  const file = join(import.meta.dirname, 'programs', 'outbox-relay.ts')
  const job: OutboxRelayJob = { bootstrap: stack.kafka.bootstrapServers, url: stack.postgres.url }
  await using sleeper = new Child(...fromSource(file, [JSON.stringify(job)]))
  await insert('a')
  await sleeper.line((line) => line === 'sent 1')
  sleeper.process.kill('SIGSTOP')
  await insert('b')
  await using heir = await outboxRelay({ kafka, pool })
  // The server ends the session of one that says nothing for ten seconds.
  await untilEmpty()
  sleeper.process.kill('SIGCONT')
  await sleeper.line((line) => line.startsWith('error'))
  await insert('c')
  await untilEmpty()
  await heir.close()
  await insert('d')
  await untilEmpty()
  expect((await readTopic(kafka, frozen, 4)).map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd'])
  await sleeper.kill('SIGTERM')
})
