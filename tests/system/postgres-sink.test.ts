import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bytes, Kafka, readDeadLetter, text, topic } from '@sluice/kafka'
import {
  crashPoints,
  migrate,
  migrationSql,
  postgresSink,
  type PostgresSink,
  type PostgresSinkOptions,
  type Transaction,
} from '@sluice/postgres'
import { type Stack, startStack } from '@sluice/stack'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { SinkMemberJob } from './programs/sink-member.ts'
import { Child, fromSource } from './support/child.ts'
import { CuttingProxy } from './support/cutting-proxy.ts'
import {
  addEffects,
  effectAnomalies,
  effectCount,
  handledEntries,
  entriesOf,
  makeEffectTables,
  sendEntries,
} from './support/effects.ts'
import { quickGroups } from './support/quick-groups.ts'
import { readTopic } from './support/read-topic.ts'

let stack: Stack
let kafka: Kafka
let pool: pg.Pool
const sessionTimeoutMs = 3_000

beforeAll(async () => {
  stack = await startStack({
    kafka: { properties: quickGroups(sessionTimeoutMs) },
    // A throw-away server may forget what it has committed when it is killed; here it must not. It waits a second before
    // it looks for a deadlock.
    postgres: { settings: { fsync: 'on', synchronous_commit: 'on', deadlock_timeout: '100ms' } },
  })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'postgres-sink' })
  pool = new pg.Pool({ connectionString: stack.postgres.url, max: 8 })
  // Those that break while they are idle, when the server is restarted.
  pool.on('error', () => {})
  await migrate(pool)
})

afterAll(async () => {
  await kafka?.close()
  await pool?.end()
  await stack?.close()
})

let sequence = 0
const within = { timeout: 60_000, interval: 50 }

/** A topic with its tables, all of one name, and entries in it. */
async function prepare(name: string, count: number, partitions = 4): Promise<string> {
  await kafka.admin().createTopics([{ name, partitions }])
  await makeEffectTables(pool, name)
  await sendEntries(kafka, name, 0, count)
  return name
}

type Options = Partial<PostgresSinkOptions<ReturnType<typeof entriesOf>>>

const openSink = (name: string, options: Options = {}) =>
  postgresSink({
    kafka,
    pool,
    group: `of-${name}`,
    topics: [entriesOf(name)],
    reset: 'earliest',
    commitIntervalMs: 100,
    batchRecords: 100,
    handler: (tx, records) => addEffects(tx, name, records),
    ...options,
  })

const untilEffects = (name: string, count: number) =>
  vi.waitFor(async () => expect(await effectCount(pool, name)).toBeGreaterThanOrEqual(count), within)

const positions = async (name: string): Promise<number> => {
  const { rows } = await pool.query<{ sum: string }>('SELECT sum(next) FROM sluice_offsets WHERE group_id = $1', [
    `of-${name}`,
  ])
  return Number(rows[0]!.sum)
}

function startMember(job: Omit<SinkMemberJob, 'bootstrap' | 'url' | 'group'>): Child {
  const whole = { bootstrap: stack.kafka.bootstrapServers, url: stack.postgres.url, group: `of-${job.topic}`, ...job }
  const file = join(import.meta.dirname, 'programs', 'sink-member.ts')
  return new Child(...fromSource(file, [JSON.stringify(whole satisfies SinkMemberJob)]))
}

describe('without trouble', () => {
  test('each record has its effect once, over two sinks and a hand-over, and the group commits behind it', async () => {
    const name = await prepare('plain', 2_000)
    await using first = await openSink(name)
    await untilEffects(name, 500)
    const second = await openSink(name)
    await sendEntries(kafka, name, 2_000, 2_000)
    await untilEffects(name, 4_000)
    await second.close()
    await sendEntries(kafka, name, 4_000, 500)
    await untilEffects(name, 4_500)
    expect(await effectAnomalies(pool, name, 4_500)).toEqual([])
    expect(await positions(name)).toBe(4_500)
    await vi.waitFor(async () => {
      const lags = await kafka.admin().lag(`of-${name}`)
      expect(lags.map(({ lag }) => lag)).toEqual([0, 0, 0, 0])
    }, within)
    await first.close()
  })

  test('the tables lie where they are asked for, and a sink without them says what to do', async () => {
    const name = await prepare('elsewhere', 100)
    const place = { schema: 'other "place"', prefix: 'x_' }
    await expect(openSink(name, place)).rejects.toMatchObject({ code: 'tables_missing' })
    await Promise.all([1, 2, 3].map(() => migrate(pool, place)))
    await using sink = await openSink(name, place)
    await untilEffects(name, 100)
    await sink.close()
    const { rows } = await pool.query('SELECT sum(next) FROM "other ""place""".x_offsets')
    expect(rows).toEqual([{ sum: '100' }])
    expect(await positions(name)).toBe(0)
  })

  test('the tables of `migrationSql` are those of `migrate`, and it is harmless to repeat', async () => {
    const columns = async (schema: string) => {
      const query = `SELECT table_name, column_name, data_type, is_nullable, column_default IS NULL AS plain
                     FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1, 2`
      return (await pool.query(query, [schema])).rows
    }
    const sql = migrationSql({ schema: 'by text', prefix: 'x_' })
    await pool.query(sql)
    await pool.query(sql)
    await migrate(pool, { schema: 'by call', prefix: 'x_' })
    expect(await columns('by text')).toEqual(await columns('by call'))
    expect((await columns('by text')).length).toBeGreaterThan(20)
  })

  test('a group that had committed before goes on from there', async () => {
    const name = await prepare('migrated', 400, 1)
    await kafka.admin().alterOffsets(`of-${name}`, [{ topic: name, partition: 0, offset: 150 }])
    await using sink = await openSink(name)
    await untilEffects(name, 250)
    await sink.close()
    expect(await effectAnomalies(pool, name, 400, (id) => id >= 150)).toEqual([])
  })
})

describe('killed', () => {
  test.each([...crashPoints, 'kafka_committed' as const])('at %s, again and again', async (crashAt) => {
    const name = await prepare(`killed_${crashAt}`, 800)
    const stateDir = mkdtempSync(join(tmpdir(), 'sluice-sink-'))
    let kills = 0
    for (let round = 0; round < 2; round++) {
      await sendEntries(kafka, name, 800 + round * 200, 200)
      // There may be one commit only, behind all there is.
      const survive = crashAt === 'kafka_committed' ? 0 : round
      await using member = startMember({ topic: name, name: 'a', stateDir, crashAt, survive })
      const { signal } = await member.ended
      if (signal === 'SIGKILL') kills++
    }
    expect(kills).toBe(2)
    await using last = startMember({ topic: name, name: 'a', stateDir })
    await untilEffects(name, 1_200)
    await last.kill('SIGTERM')
    expect(await effectAnomalies(pool, name, 1_200)).toEqual([])
    expect(await positions(name)).toBe(1_200)
  })
})

describe('frozen past its session, with another that takes over', () => {
  // At the one the transaction is open and its row is locked, at the other all is quiet.
  test.each(['before_commit', 'committed'] as const)('at %s', { timeout: 90_000 }, async (freezeAt) => {
    const name = await prepare(`frozen_${freezeAt}`, 4_000)
    // It believes in its session for longer than the group does, and so writes when it wakes up.
    const job = { topic: name, batchRecords: 20, sessionTimeoutMs: 60_000 }
    await using zombie = startMember({ ...job, name: 'zombie', freezeAt, survive: 10 })
    await zombie.line((line) => line === 'freezing')
    await using heir = startMember({ ...job, name: 'heir' })
    await untilEffects(name, 4_000)
    zombie.process.kill('SIGCONT')
    // What it had in memory is somebody else's: it finds out by the row or by the group, whichever answers first.
    await zombie.line((line) => /^lost |^fenced .*"kept":false/.test(line))
    await sendEntries(kafka, name, 4_000, 1_000)
    await untilEffects(name, 5_000)
    await zombie.kill('SIGTERM')
    await heir.kill('SIGTERM')
    expect(await effectAnomalies(pool, name, 5_000)).toEqual([])
    expect(await positions(name)).toBe(5_000)
  })
})

test('a predecessor that takes the row late, and writes under it, is fenced in its turn: what it did is not done again', async () => {
  const name = await prepare('taken', 100, 1)
  await using sink = await openSink(name, { batchRecords: 10 })
  const fenced: boolean[] = []
  sink.on('fenced', ({ kept }) => fenced.push(kept))
  await untilEffects(name, 100)
  // As somebody who was assigned the partition before, and only now gets to it.
  const { rows } = await pool.query<{ epoch: string }>(
    'UPDATE sluice_offsets SET epoch = epoch + 1, next = next + 25 WHERE group_id = $1 RETURNING epoch',
    [`of-${name}`],
  )
  await addEffects(pool, name, handledEntries(100, 25))
  await sendEntries(kafka, name, 100, 100)
  await untilEffects(name, 200)
  await sink.close()
  expect(fenced).toEqual([true])
  expect(await effectAnomalies(pool, name, 200)).toEqual([])
  const now = await pool.query('SELECT next, epoch FROM sluice_offsets WHERE group_id = $1', [`of-${name}`])
  expect(now.rows).toEqual([{ next: '200', epoch: String(Number(rows[0]!.epoch) + 1) }])
})

describe('PostgreSQL', () => {
  test('cut off around COMMIT again and again: each is settled, and nothing is done twice or not at all', async () => {
    const name = await prepare('cut', 1_600)
    await using proxy = await CuttingProxy.open(Number(new URL(stack.postgres.url).port))
    const url = new URL(stack.postgres.url)
    url.port = String(proxy.port)
    const own = new pg.Pool({ connectionString: url.href, max: 5 })
    own.on('error', () => {})
    let commits = 0
    proxy.fate = () =>
      (['cut the answer', 'pass', 'cut the answer', 'pass', 'cut the request', 'pass'] as const)[commits++ % 6]!
    const settled = { true: 0, false: 0 }
    {
      await using sink = await openSink(name, { pool: own, batchRecords: 10 })
      sink.on('settled', ({ committed }) => settled[`${committed}`]++)
      await untilEffects(name, 1_600)
      proxy.fate = () => 'pass'
      await sink.close()
    }
    await own.end()
    expect(proxy.cuts['cut the answer']).toBeGreaterThan(80)
    expect(settled.true).toBeGreaterThan(40)
    expect(settled.false).toBeGreaterThan(20)
    expect(await effectAnomalies(pool, name, 1_600)).toEqual([])
  })

  test('restarted in the middle, gently and by a kill: nothing is lost or doubled, and what is held stays bounded', async () => {
    const name = await prepare('restarted', 3_000)
    const postgres = stack.supervisor.get('postgres')!
    await using sink = await openSink(name, { batchRecords: 20, gate: { maxRecords: 200 } })
    const retries: unknown[] = []
    sink.on('retrying', ({ fault, error }) => retries.push([fault, error]))
    await untilEffects(name, 300)
    await postgres.stop()
    await vi.waitFor(() => expect(retries.length).toBeGreaterThan(4), within)
    const held = sink.consumer.inspect().gate!
    expect(held.records).toBeLessThan(3_000)
    await postgres.start()
    await untilEffects(name, 1_000)
    await postgres.killNow()
    await postgres.start()
    await untilEffects(name, 3_000)
    await sink.close()
    expect(retries.every((retry) => (retry as unknown[])[0] === 'transient')).toBe(true)
    expect(await effectAnomalies(pool, name, 3_000)).toEqual([])
  })

  test('deadlocks of batches that take the same rows in different orders are tried again', async () => {
    const name = await prepare('deadlock', 400, 2)
    await pool.query(`INSERT INTO ${name}_sums VALUES ('left', 0), ('right', 0)`)
    const add = (tx: Transaction, key: string) =>
      tx.query(`UPDATE ${name}_sums SET amount = amount + 1 WHERE key = $1`, [key])
    const codes: unknown[] = []
    await using sink = await openSink(name, {
      batchRecords: 50,
      handler: async (tx, records) => {
        const isEven = records[0]!.partition % 2 === 0
        await add(tx, isEven ? 'left' : 'right')
        await sleep(100)
        await add(tx, isEven ? 'right' : 'left')
        await tx.query(`INSERT INTO ${name} SELECT unnest($1::bigint[])`, [records.map(({ value }) => value.id)])
      },
    })
    sink.on('retrying', ({ error }) => codes.push((error as { code?: string }).code))
    await untilEffects(name, 400)
    await sink.close()
    expect(codes).toContain('40P01')
    const { rows } = await pool.query(`SELECT count(*), count(DISTINCT id) AS ids FROM ${name}`)
    expect(rows).toEqual([{ count: '400', ids: '400' }])
    const sums = await pool.query<{ amount: string }>(`SELECT DISTINCT amount FROM ${name}_sums`)
    expect(sums.rows).toHaveLength(1)
  })
})

describe('a record that fails', () => {
  const letters = async (name: string, count: number) => {
    const found = await readTopic(kafka, topic(`${name}.dlq`, { key: text, value: bytes }), count)
    return found.toSorted((a, b) => Number(a.headers.get('original-offset')) - Number(b.headers.get('original-offset')))
  }
  const idOf = ({ value }: { value: Buffer | null }): number => (JSON.parse(String(value)) as { id: number }).id

  test('in the handler, amid its batch, becomes a dead letter in the transaction of the others', async () => {
    const name = await prepare('poisoned', 1_000, 1)
    const isBad = (id: number): boolean => id % 97 === 13
    const told: number[] = []
    const calls: number[] = []
    await using sink = await openSink(name, {
      attempts: 2,
      onDeadLetter: (record) => void told.push(record.offset),
      handler: async (tx, records) => {
        calls.push(records.length)
        await addEffects(tx, name, records)
        const bad = records.find(({ value }) => isBad(value.id))
        if (bad) throw new TypeError(`not ${bad.value.id}`)
      },
    })
    await untilEffects(name, 989)
    const found = await letters(name, 11)
    await sink.close()
    const expected = Array.from({ length: 1_000 }, (_, id) => id).filter(isBad)
    expect(found.map(idOf)).toEqual(expected)
    expect(told).toEqual(expected)
    expect(await effectAnomalies(pool, name, 1_000, (id) => !isBad(id))).toEqual([])
    const facts = {
      topic: name,
      partition: 0,
      group: `of-${name}`,
      stage: 'handler',
      attempts: 2,
      errorClass: 'TypeError',
    }
    expect(readDeadLetter(found[0]!.headers)).toMatchObject({ ...facts, offset: 13, errorMessage: 'not 13' })
    expect(found[0]!.key).toBe('key-13')
    // Halving: far from one call for each record.
    expect(calls.length).toBeLessThan(400)
    const { rows } = await pool.query('SELECT count(*) FROM sluice_outbox')
    expect(rows).toEqual([{ count: '0' }])
  })

  test('by a constraint, also one that is checked at COMMIT, and not a second time', async () => {
    const name = await prepare('constrained', 500, 1)
    await pool.query(`ALTER TABLE ${name} ADD CHECK (id <> 100)`)
    await pool.query(`CREATE TABLE ${name}_known (id bigint PRIMARY KEY)`)
    await pool.query(`INSERT INTO ${name}_known SELECT * FROM generate_series(0, 499) AS id WHERE id NOT IN (200, 499)`)
    await pool.query(`ALTER TABLE ${name} ADD FOREIGN KEY (id) REFERENCES ${name}_known DEFERRABLE INITIALLY DEFERRED`)
    await using sink = await openSink(name)
    await untilEffects(name, 497)
    const found = await letters(name, 3)
    await sink.close()
    expect(found.map(idOf)).toEqual([100, 200, 499])
    expect(found.map(({ headers }) => readDeadLetter(headers)!.attempts)).toEqual([2, 2, 2])
    expect(await effectAnomalies(pool, name, 500, (id) => ![100, 200, 499].includes(id))).toEqual([])
  })

  test('to be decoded is not for the handler, and does not take others along', async () => {
    const name = await prepare('undecodable', 50, 1)
    await using producer = await kafka.producer()
    await producer.send(topic(name, { value: text }), {
      key: 'k',
      value: 'no JSON \u0000',
      headers: { 'trace-id': 'abc\u0000' },
    })
    await sendEntries(kafka, name, 50, 50)
    await using sink = await openSink(name)
    await untilEffects(name, 100)
    const [letter] = await letters(name, 1)
    await sink.close()
    expect(String(letter!.value)).toBe('no JSON \u0000')
    expect(letter!.headers.get('trace-id')).toBe('abc\u0000')
    expect(readDeadLetter(letter!.headers)).toMatchObject({ stage: 'decode', errorClass: 'DecodeError', offset: 50 })
    expect(await effectAnomalies(pool, name, 100)).toEqual([])
  })

  test('unseen, since its handler swallows the error, is found all the same', async () => {
    const name = await prepare('swallowed', 100, 1)
    await pool.query(`ALTER TABLE ${name} ADD CHECK (id <> 42)`)
    await using sink = await openSink(name, {
      attempts: 2,
      handler: (tx, records) => addEffects(tx, name, records).catch(() => {}),
    })
    await untilEffects(name, 99)
    const found = await letters(name, 1)
    await sink.close()
    expect(found.map(idOf)).toEqual([42])
    expect(await effectAnomalies(pool, name, 100, (id) => id !== 42)).toEqual([])
  })

  test('while others of its batch are still at work: what they send afterwards is refused', async () => {
    const name = await prepare('overtaken', 8, 1)
    const refused: unknown[] = []
    await using sink = await openSink(name, {
      attempts: 2,
      handler: (tx, records) =>
        Promise.all(
          records.map(async (record) => {
            if (record.value.id === 5) throw new Error('no')
            await sleep(50)
            await addEffects(tx, name, [record]).catch((error: unknown) => {
              refused.push((error as { code?: string }).code)
              throw error
            })
          }),
        ),
    })
    await untilEffects(name, 7)
    await letters(name, 1)
    expect(refused.length).toBeGreaterThan(7)
    await sink.close()
    expect(new Set(refused)).toEqual(new Set(['closed']))
    expect(await effectAnomalies(pool, name, 8, (id) => id !== 5)).toEqual([])
  })

  test('because of the program, as every other would, stops the sink, and buries nothing', async () => {
    const name = await prepare('broken', 100, 1)
    const sink = await openSink(name, { handler: (tx) => tx.query('INSERT INTO nowhere VALUES (1)') })
    await expect(sink.ended).rejects.toMatchObject({ code: '42P01' })
    await expect(sink.close()).rejects.toMatchObject({ code: '42P01' })
    const { rows } = await pool.query('SELECT next FROM sluice_offsets WHERE group_id = $1', [`of-${name}`])
    expect(rows).toEqual([{ next: null }])
  })
})

describe('a handler', () => {
  test.each([
    ['ROLLBACK', ''],
    ['COMMIT', ''],
    ['/* by hand */ COMMIT', 'BEGIN'],
    // Not seen before it is sent.
    ['SELECT 1; ROLLBACK', ''],
    ['SELECT 1; ROLLBACK', 'BEGIN'],
  ])('that ends the transaction by %s, with %o after it, stops the sink: no offset moves', async (end, then) => {
    const name = await prepare(`ends_${sequence++}`, 20, 1)
    const sink = await openSink(name, {
      handler: async (tx, records) => {
        await addEffects(tx, name, records)
        await tx.query(end).catch(() => {})
        if (then !== '') await tx.query(then).catch(() => {})
      },
    })
    await expect(sink.ended).rejects.toMatchObject({ code: 'transaction_ended' })
    await sink.close().catch(() => {})
    expect(await effectCount(pool, name)).toBe(0)
    const { rows } = await pool.query('SELECT next FROM sluice_offsets WHERE group_id = $1', [`of-${name}`])
    expect(rows).toEqual([{ next: null }])
  })

  test('may use savepoints', async () => {
    const name = await prepare('savepoints', 20, 1)
    await using sink = await openSink(name, {
      handler: async (tx, records) => {
        await tx.query('SAVEPOINT mine')
        await addEffects(tx, name, records)
        await tx.query('ROLLBACK TO SAVEPOINT mine')
        await addEffects(tx, name, records)
      },
    })
    await untilEffects(name, 20)
    await sink.close()
    expect(await effectAnomalies(pool, name, 20)).toEqual([])
  })

  test("that wraps PostgreSQL's error does not turn a missing table into the fault of its records", async () => {
    const name = await prepare('wrapped', 30, 1)
    const sink = await openSink(name, {
      attempts: 1,
      handler: (tx) =>
        tx.query('INSERT INTO nowhere VALUES (1)').catch((cause: unknown) => {
          throw new Error('not stored', { cause })
        }),
    })
    await expect(sink.ended).rejects.toMatchObject({ message: 'not stored', cause: { code: '42P01' } })
    await sink.close().catch(() => {})
    const { rows } = await pool.query('SELECT next FROM sluice_offsets WHERE group_id = $1', [`of-${name}`])
    expect(rows).toEqual([{ next: null }])
  })

  test('whose statement has too many parameters for a batch gets parts of it', async () => {
    const name = await prepare('parameters', 40, 1)
    await using sink = await openSink(name, {
      handler: async (tx, records) => {
        const values = records.flatMap(() => Array.from({ length: 3_000 }, () => 1))
        await tx.query(`SELECT 1 WHERE 1 IN (${values.map((_, index) => `$${index + 1}::int`).join()})`, values)
        await addEffects(tx, name, records)
      },
    })
    await untilEffects(name, 40)
    await sink.close()
    expect(await effectAnomalies(pool, name, 40)).toEqual([])
  })

  test('that is stopped by statement_timeout at one record gives up that one', async () => {
    const name = await prepare('slow', 20, 1)
    await using sink = await openSink(name, {
      attempts: 2,
      handler: async (tx, records) => {
        await tx.query("SET LOCAL statement_timeout = '200ms'")
        await addEffects(tx, name, records)
        if (records.some(({ value }) => value.id === 7)) await tx.query('SELECT pg_sleep(10)')
      },
    })
    await untilEffects(name, 19)
    await sink.close()
    expect(await effectAnomalies(pool, name, 20, (id) => id !== 7)).toEqual([])
  })

  test('whose partitions all widen one topic of dead letters at once', async () => {
    const name = await prepare('widened', 400)
    await kafka.admin().createTopics([{ name: `${name}.dlq`, partitions: 1 }])
    await using sink = await openSink(name, {
      attempts: 1,
      handler: async (tx, records) => {
        if (records.some(({ value }) => value.id % 10 === 0)) throw new Error('no')
        await addEffects(tx, name, records)
      },
    })
    await untilEffects(name, 360)
    await sink.close()
    expect(await effectAnomalies(pool, name, 400, (id) => id % 10 !== 0)).toEqual([])
    const [letters] = await kafka.admin().describeTopics([`${name}.dlq`])
    expect(letters!.partitions).toHaveLength(4)
  })
})

describe('a position that was changed by hand', () => {
  const setNext = (name: string, next: string) =>
    pool.query(`UPDATE sluice_offsets SET next = ${next} WHERE group_id = $1`, [`of-${name}`])

  test('under a running sink stops it, and nothing is written twice', async () => {
    const name = await prepare('edited', 500, 1)
    const sink = await openSink(name)
    await untilEffects(name, 500)
    await setNext(name, 'next - 100')
    await sendEntries(kafka, name, 500, 100)
    const facts = { code: 'position_changed', topic: name, partition: 0, expected: 500, found: 400 }
    await expect(sink.ended).rejects.toMatchObject(facts)
    await expect(sink.close()).rejects.toMatchObject(facts)
    expect(await effectAnomalies(pool, name, 500)).toEqual([])
  })

  test('by deleting its row as well', async () => {
    const name = await prepare('deleted', 100, 1)
    const sink = await openSink(name)
    await untilEffects(name, 100)
    await pool.query('DELETE FROM sluice_offsets WHERE group_id = $1', [`of-${name}`])
    await sendEntries(kafka, name, 100, 10)
    await expect(sink.ended).rejects.toMatchObject({ code: 'position_changed', found: undefined })
    await sink.close().catch(() => {})
    expect(await effectAnomalies(pool, name, 100)).toEqual([])
  })

  test.each([
    ['beyond the end', '1000', 1_000],
    ['before the start', '3', 3],
  ])('to %s of the log is an error and no reset', async (what, next, offset) => {
    const name = await prepare(`outside_${what.replaceAll(' ', '_')}`, 100, 1)
    {
      await using sink = await openSink(name)
      await untilEffects(name, 100)
      await sink.close()
    }
    await kafka.admin().deleteRecords([{ topic: name, partition: 0, offset: 50 }])
    await setNext(name, next)
    const sink = await openSink(name)
    const facts = { code: 'offset_outside_log', topic: name, partition: 0, offset, logStart: 50, logEnd: 100 }
    await expect(sink.ended).rejects.toMatchObject(facts)
    await sink.close().catch(() => {})
    expect(await effectAnomalies(pool, name, 100)).toEqual([])
  })

  test('while it is stopped, to a place in the log, is where it begins', async () => {
    const name = await prepare('moved', 100, 1)
    {
      await using sink = await openSink(name)
      await untilEffects(name, 100)
      await sink.close()
    }
    await setNext(name, '90')
    await using sink = await openSink(name)
    await untilEffects(name, 110)
    await sink.close()
    expect(await effectCount(pool, name)).toBe(110)
  })
})

test('a topic that was deleted and created again is read from its own beginning', async () => {
  const name = await prepare('recreated', 100, 1)
  {
    await using sink = await openSink(name)
    await untilEffects(name, 100)
    await sink.close()
  }
  await kafka.admin().deleteTopics([name])
  await kafka.admin().createTopics([{ name, partitions: 1 }])
  await sendEntries(kafka, name, 100, 50)
  await using sink = await openSink(name)
  await untilEffects(name, 150)
  await sink.close()
  expect(await effectAnomalies(pool, name, 150)).toEqual([])
})

test('the example keeps a balance for each account', async () => {
  await kafka.admin().createTopics([{ name: 'entries', partitions: 2 }])
  await pool.query('CREATE TABLE balances (account text PRIMARY KEY, amount bigint NOT NULL)')
  const file = join(import.meta.dirname, '..', '..', 'packages', 'postgres', 'examples', 'ledger.ts')
  const { ledger } = (await import(file)) as { ledger: (kafka: Kafka, pool: pg.Pool) => Promise<PostgresSink> }
  await using producer = await kafka.producer()
  for (const amount of [5, -2, 40]) {
    await producer.send(topic('entries', { value: text }), { key: 'a', value: JSON.stringify({ amount }) })
  }
  await using sink = await ledger(kafka, pool)
  await vi.waitFor(async () => {
    const { rows } = await pool.query('SELECT * FROM balances')
    expect(rows).toEqual([{ account: 'a', amount: '43' }])
  }, within)
  await sink.close()
})
