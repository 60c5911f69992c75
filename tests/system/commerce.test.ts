import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { stagingKey, swapCache, USERS, type User } from '@sluice/commerce'
import { Kafka, json, topic } from '@sluice/kafka'
import { startStack, type Stack } from '@sluice/stack'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Child } from './support/child.ts'
import { logged, serversOf, startProgram, urlOf } from './support/commerce.ts'
import { compare, readLedger } from './support/ledger.ts'
import { until } from './support/until.ts'

const CUSTOMERS = 10_000
const PRODUCTS = 20_000

let stack: Stack
let pool: pg.Pool
let redis: Awaited<ReturnType<typeof openRedis>>
let kafka: Kafka
let servers: Record<string, string>
let folder: string

beforeAll(async () => {
  stack = await startStack({ kafka: true, postgres: true, redis: true })
  servers = serversOf(stack)
  pool = new pg.Pool({ connectionString: stack.postgres.url, max: 2 })
  redis = await openRedis(stack.redis.url)
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(','), clientId: 'commerce-test' })
  const topics = ['orders', 'products'].map((name) => ({ name, partitions: 3 }))
  await kafka.admin().createTopics(topics)
})

afterAll(async () => {
  await kafka?.close()
  redis?.destroy()
  await pool?.end()
  await stack?.close()
})

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'commerce-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the seeder', () => {
  it('writes 10,000 customers and 20,000 products once, also when two of them start together', async () => {
    const both = [startProgram('seeder', servers), startProgram('seeder', servers)]
    const ends = await Promise.all(both.map((seeder) => seeder.ended))
    expect(ends.map(({ code }) => code)).toEqual([0, 0])
    expect(both.map((seeder) => logged(seeder, 'seeded').length).toSorted((a, b) => a - b)).toEqual([0, 1])
    expect(await counts()).toEqual({ users: CUSTOMERS, products: PRODUCTS })
  })

  it('finds everything there the next time', async () => {
    const seeder = startProgram('seeder', servers)
    expect((await seeder.ended).code).toBe(0)
    expect(logged(seeder, 'seeded already')).toHaveLength(1)
  })

  it('finishes what a killed one began', async () => {
    const more = { ...servers, SEED_CUSTOMERS: '10500', SEED_PRODUCTS: '60000' }
    const killed = startProgram('seeder', more)
    await until(async () => (await counts()).products > PRODUCTS)
    await killed.kill('SIGKILL')
    expect((await startProgram('seeder', more).ended).code).toBe(0)
    expect(await counts()).toEqual({ users: 10_500, products: 60_000 })
  })
})

describe('a wrong setting', () => {
  it('is named with its value and what is allowed, and ends the program with 2', async () => {
    const ended = await startProgram('cache-worker', { ...servers, CACHE_NEW_DATA_RATIO: '2' }).ended
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toBe('cache-worker: CACHE_NEW_DATA_RATIO is "2", but must be a number from 0 to 1\n')
  })

  it('of the database is one clear error without the password', async () => {
    const wrong = stack.postgres.url.replace(/:[^:@]*@/, ':not-the-password@')
    const ended = await startProgram('seeder', { ...servers, DATABASE_URL: wrong }).ended
    expect(ended.code).toBe(1)
    expect(ended.stdout).toContain('password authentication failed')
    expect(ended.stdout).toContain('DATABASE_URL')
    expect(ended.stdout).not.toContain('not-the-password')
  })

  it('of a flag is named as its variable', async () => {
    const ended = await startProgram('generator', servers, ['--rate', 'fast']).ended
    expect(ended).toMatchObject({ code: 2 })
    expect(ended.stderr).toContain('ORDER_RATE is "fast"')
  })
})

interface Refreshed {
  readonly cycle: number
  readonly fresh: number
}

describe('two cache workers', () => {
  it('share the rounds: whole caches, half new rows, no row twice until each had its turn', async () => {
    const env = { ...servers, CACHE_REFRESH_INTERVAL: '1', CACHE_BATCH_SIZE: '2000' }
    await using first = startProgram('cache-worker', env)
    await using second = startProgram('cache-worker', env)
    const workers = [first, second]
    const rounds = (): Refreshed[] =>
      workers.flatMap((worker) => logged<Refreshed>(worker, 'cache refreshed')).toSorted((a, b) => a.cycle - b.cycle)
    const sizes = { users: new Set<number>(), products: new Set<number>() }
    await until(
      async () => {
        for (const name of ['users', 'products'] as const) {
          const size = await redis.hLen(`cache:${name}`)
          // Empty is right before the first round alone.
          if (size > 0 || sizes[name].size > 0) sizes[name].add(size)
        }
        return rounds().length >= 5
      },
      { pauseMs: 1 },
    )
    for (const worker of workers) expect((await worker.kill('SIGTERM')).code).toBe(0)
    expect(sizes).toEqual({ users: new Set([2_000]), products: new Set([2_000]) })
    const done = rounds()
    expect(new Set(done.map(({ cycle }) => cycle)).size).toBe(done.length)
    // 2,000 of each, all new in the first round, half of them later.
    expect(done.map(({ fresh }) => fresh)).toEqual([4_000, ...done.slice(1).map(() => 2_000)])
    const cachedUsers = await number('SELECT count(*) FROM users WHERE last_cached_at IS NOT NULL')
    expect(cachedUsers).toBe(2_000 + 1_000 * (done.length - 1))
    expect(await number('SELECT count(*) FROM users WHERE cache_claimed_until IS NOT NULL')).toBe(0)
    expect(await redis.keys('*staging*')).toEqual([])
  })

  it('take over from one that was killed, within a few intervals', async () => {
    const env = { ...servers, CACHE_REFRESH_INTERVAL: '1', CACHE_BATCH_SIZE: '400' }
    await using first = startProgram('cache-worker', env)
    await first.line((line) => line.includes('cache refreshed'))
    await using second = startProgram('cache-worker', env)
    await urlOf(second)
    await first.kill('SIGKILL')
    const killedAtMs = performance.now()
    const before = logged(second, 'cache refreshed').length
    // One more than a line that was still on its way when the first one was killed.
    await until(() => logged(second, 'cache refreshed').length > before + 1)
    expect(performance.now() - killedAtMs).toBeLessThan(10_000)
  })

  it('outlive a connection that breaks in the middle of a transaction', async () => {
    await using worker = startProgram('cache-worker', {
      ...servers,
      CACHE_REFRESH_INTERVAL: '1',
      CACHE_BATCH_SIZE: '10',
    })
    const refreshed = (): number => logged(worker, 'cache refreshed').length
    await until(() => refreshed() > 0)
    const blocker = await pool.connect()
    await blocker.query('BEGIN')
    await blocker.query('LOCK TABLE users IN ACCESS EXCLUSIVE MODE')
    const terminated = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'commerce-cache-worker' AND state = 'active' AND wait_event_type = 'Lock'`
    await until(async () => (await pool.query(terminated)).rows.length > 0)
    await blocker.query('COMMIT')
    blocker.release()
    const before = refreshed()
    await until(() => refreshed() > before)
    expect(await worker.kill('SIGTERM')).toMatchObject({ code: 0 })
  })

  it('take those first that have waited the longest, whatever their ids are', async () => {
    await pool.query(
      `INSERT INTO products (product_id, name, category, brand, price, org_price, discount_rate, stock, created_at)
       SELECT 'zzzz-' || n, name, category, brand, price, org_price, discount_rate, stock, '2000-01-01'
       FROM (SELECT * FROM products LIMIT 1) one, generate_series(1, 5) n`,
    )
    await fillCache({ CACHE_BATCH_SIZE: '10' })
    expect(
      await number("SELECT count(*) FROM products WHERE product_id LIKE 'zzzz-%' AND last_cached_at IS NOT NULL"),
    ).toBe(5)
  })

  it('leave no part of a cache behind that would not go by itself', async () => {
    const broken = {
      toJSON: () => {
        throw new Error('killed here')
      },
    }
    const rows = Array.from({ length: 600 }, (_, n) => ({
      user_id: `u-${n}`,
      ...(n === 599 && broken),
    })) as unknown as User[]
    await expect(swapCache(redis, USERS, 9_999, rows)).rejects.toThrow('killed here')
    const key = stagingKey(USERS, 9_999)
    expect(await redis.hLen(key)).toBe(500)
    expect(await redis.ttl(key)).toBeGreaterThan(0)
    await redis.del(key)
  })
})

describe('the generator', () => {
  it('says that it waits while the cache is empty, and starts once it is filled', async () => {
    await redis.del(['cache:users', 'cache:products'])
    await using generator = startProgram('generator', { ...servers, LEDGER_DIR: folder }, ['--rate', '50'])
    const url = await urlOf(generator)
    await until(async () => (await fetch(`${url}/readyz`)).status === 503)
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ reason: 'the cache, which is empty' })
    await fillCache()
    await until(async () => (await fetch(`${url}/readyz`)).status === 200)
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' })
    await until(() => readLedger(join(folder, 'orders.txt')).length > 0)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toMatch(/kafka_messages_sent_total\{topic="orders"\} [1-9]/)
    expect((await generator.kill('SIGTERM')).code).toBe(0)
  })

  it('gives the same ids for the same seed and cache, run by run', async () => {
    await fillCache()
    const ids = async (name: string): Promise<string[]> => {
      const ledger = join(folder, name)
      const env = { ...servers, LEDGER_DIR: ledger }
      for (const lines of [50, 100]) {
        await using generator = startProgram('generator', env, ['--rate', '200', '--seed', '7'])
        await until(() => readdirSync(folder).includes(name) && ledgerLines(ledger) >= lines)
        await generator.kill('SIGKILL')
      }
      return readLedger(join(ledger, 'orders.txt'))
    }
    const [one, other] = [await ids('one'), await ids('other')]
    expect(one.slice(0, 50)).toEqual(other.slice(0, 50))
    expect(new Set(one).size).toBe(one.length)
  })

  it('slows down at the high watermark while the broker is frozen, and loses nothing', async () => {
    await fillCache()
    await using generator = startProgram('generator', { ...servers, LEDGER_DIR: folder }, ['--rate', '2000'])
    await until(() => ledgerLines(folder) > 500)
    stack.kafka.pause(1)
    await generator.line((line) => line.includes('high watermark'))
    await until(async () =>
      (await metricsOf(generator)).includes('sluice_producer_queue_throttled{client="generator"} 1'),
    )
    stack.kafka.resume(1)
    await generator.line((line) => line.includes('low watermark'))
    expect((await generator.kill('SIGTERM')).code).toBe(0)
    const { missing } = compare(readLedger(join(folder, 'orders.txt')), await idsInTopic('orders', 'order_id'))
    expect(missing).toEqual([])
  })
})

describe('the consumer', () => {
  it('writes what the generator sent into the tables, each record once, in the formats of the document', async () => {
    await fillCache()
    const env = { ...servers, LEDGER_DIR: folder, STATE_DIR: folder, HANDLED_TABLE: 'handled_once' }
    await using consumer = startProgram('consumer', env)
    await using generator = startProgram('generator', env, ['--rate', '500'])
    await until(() => ledgerLines(folder) >= 1_000)
    expect((await generator.kill('SIGTERM')).code).toBe(0)
    const ledger = readLedger(join(folder, 'orders.txt'))
    await until(async () => compare(ledger, await ids('SELECT order_id AS id FROM orders')).missing.length === 0)
    expect((await consumer.kill('SIGTERM')).code).toBe(0)
    const known = new Set(ledger)
    const handled = (await ids('SELECT id FROM handled_once')).filter((id) => known.has(id))
    expect(handled.length).toBe(ledger.length)
    const wrongTotal = 'total_amount <> price * quantity + shipping_cost - discount_amount'
    const joined = 'orders JOIN products USING (product_id) JOIN users USING (user_id)'
    expect(await number(`SELECT count(*) FROM ${joined}`)).toBe(await number('SELECT count(*) FROM orders'))
    expect(await number(`SELECT count(*) FROM ${joined} WHERE ${wrongTotal} OR user_region <> region`)).toBe(0)
    expect(await kafka.admin().lag('commerce-consumer')).toSatisfy((lags: { lag: number }[]) =>
      lags.every(({ lag }) => lag === 0),
    )
  })

  it('goes on where a killed one stopped, within its first seconds', async () => {
    await fillCache()
    const env = { ...servers, LEDGER_DIR: folder, STATE_DIR: folder }
    await using generator = startProgram('generator', env, ['--rate', '500'])
    await using killed = startProgram('consumer', env)
    await until(() => ledgerLines(folder) >= 500)
    await killed.kill('SIGKILL')
    await using next = startProgram('consumer', env)
    await urlOf(next)
    const runningAtMs = performance.now()
    await until(async () => /kafka_messages_processed_total{.*} [1-9]/.test(await metricsOf(next)))
    // The session of the killed one would hold its partitions for 45 s.
    expect(performance.now() - runningAtMs).toBeLessThan(10_000)
    await until(() => ledgerLines(folder) >= 1_500)
    await generator.kill('SIGTERM')
    const ledger = readLedger(join(folder, 'orders.txt'))
    await until(async () => compare(ledger, await ids('SELECT order_id AS id FROM orders')).missing.length === 0)
    expect((await next.kill('SIGTERM')).code).toBe(0)
  })
})

async function openRedis(url: string) {
  const client = createClient({ url })
  await client.connect()
  return client
}

async function counts(): Promise<{ users: number; products: number }> {
  return { users: await number('SELECT count(*) FROM users'), products: await number('SELECT count(*) FROM products') }
}

async function number(query: string): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(query)
  return Number(rows[0]?.count)
}

async function ids(query: string): Promise<string[]> {
  return (await pool.query<{ id: string }>(query)).rows.map(({ id }) => id)
}

/** One round of a cache worker. */
async function fillCache(env: Record<string, string> = {}): Promise<void> {
  await pool.query('DELETE FROM cache_rounds')
  await using worker: Child = startProgram('cache-worker', { ...servers, ...env })
  await worker.line((line) => line.includes('cache refreshed'))
  await worker.kill('SIGTERM')
}

async function metricsOf(program: Child): Promise<string> {
  return (await fetch(`${await urlOf(program)}/metrics`)).text()
}

async function idsInTopic(name: string, field: string): Promise<string[]> {
  const ends = await kafka.admin().offsets([name])
  const left = new Map(ends.filter(({ offset }) => offset > 0).map(({ partition, offset }) => [partition, offset]))
  const events = topic(name, { value: json<{ data: Record<string, string> }>() })
  const group = `reader-${process.pid}-${Date.now()}`
  await using consumer = await kafka.consumer({ group, topics: [events], reset: 'earliest' })
  const found: string[] = []
  const reading = consumer.run(({ value, partition, offset }) => {
    found.push(value.data[field]!)
    if (offset + 1 >= (left.get(partition) ?? 0)) left.delete(partition)
  })
  await Promise.race([reading, until(() => left.size === 0)])
  return found
}

function ledgerLines(ledgerDir: string): number {
  return readdirSync(ledgerDir).includes('orders.txt') ? readLedger(join(ledgerDir, 'orders.txt')).length : 0
}
