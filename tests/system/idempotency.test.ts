import { createClient } from '@redis/client'
import { type ConsumerRecord, Kafka, text, topic } from '@sluice/kafka'
import {
  type IdempotencyStore,
  type Mark,
  migrate,
  postgresIdempotency,
  type RedisClient,
  redisIdempotency,
  type Transaction,
  wrapHandler,
} from '@sluice/postgres'
import { type Stack, startStack } from '@sluice/stack'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { LastWordsProxy } from './support/last-words-proxy.ts'

let stack: Stack
let kafka: Kafka
let pool: pg.Pool
let redis: ReturnType<typeof createClient>

beforeAll(async () => {
  stack = await startStack({ kafka: true, postgres: true, redis: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'idempotency' })
  pool = new pg.Pool({ connectionString: stack.postgres.url, max: 24 })
  pool.on('error', () => {})
  redis = createClient({ url: stack.redis.url })
  redis.on('error', () => {})
  await redis.connect()
  await migrate(pool)
  await pool.query('CREATE TABLE charges (id text)')
})

afterAll(async () => {
  await kafka?.close()
  await pool?.end()
  await redis?.close()
  await stack?.close()
})

const stores: Readonly<Record<string, () => IdempotencyStore<Transaction | undefined>>> = {
  PostgreSQL: () => postgresIdempotency({ pool }),
  Redis: () => redisIdempotency({ client: redis }),
}

let marks = 0
const newMark = (given: Partial<Mark> = {}): Mark => ({
  group: 'g',
  key: `key-${marks++}`,
  topic: 't',
  partition: 0,
  offset: 7,
  leaderEpoch: -1,
  ...given,
})

describe.each(Object.keys(stores))('marks in %s', (name) => {
  const store = (): IdempotencyStore<Transaction | undefined> => stores[name]!()

  test('let a record be handled once, in each group for itself', async () => {
    const mark = newMark()
    const handle = vi.fn<() => void>()
    expect(await store().once(mark, handle)).toBe('handled')
    expect(await store().once(mark, handle)).toBe('duplicate')
    expect(await store().once({ ...mark, group: 'other' }, handle)).toBe('handled')
    expect(handle).toHaveBeenCalledTimes(2)
  })

  test('are not set where the handler fails', async () => {
    const mark = newMark()
    const fails = () => Promise.reject(new Error('no'))
    await expect(store().once(mark, fails)).rejects.toThrow('no')
    expect(await store().once(mark, () => {})).toBe('handled')
  })

  test('of a place in a log that was cut since are of another record; where that is unknown, of the same', async () => {
    const mark = newMark({ leaderEpoch: 3 })
    expect(await store().once(mark, () => {})).toBe('handled')
    expect(await store().once({ ...mark, leaderEpoch: -1 }, () => {})).toBe('duplicate')
    expect(await store().once({ ...mark, leaderEpoch: 4 }, () => {})).toBe('handled')
    expect(await store().once({ ...mark, leaderEpoch: 4 }, () => {})).toBe('duplicate')
  })

  test('let one of many at the same time through', async () => {
    const mark = newMark()
    let handled = 0
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () =>
        store().once(mark, async () => {
          handled++
          await new Promise((resolve) => setTimeout(resolve, 50))
        }),
      ),
    )
    expect(handled).toBe(1)
    const others = results.filter((result) => result.status !== 'fulfilled' || result.value !== 'handled')
    expect(others).toHaveLength(9)
    for (const other of others) {
      if (other.status === 'fulfilled') expect(other.value).toBe('duplicate')
      else expect(other.reason).toMatchObject({ code: 'claim_held', retriable: true })
    }
  })

  test('tell a consumer what it has handled before: by key, and else by place', async () => {
    const source = topic(`payments-${name}`, { key: text, value: text })
    await kafka.admin().createTopics([{ name: source.name, partitions: 1 }])
    await using producer = await kafka.producer()
    for (const idempotencyKey of ['a', 'b', 'a']) await producer.send(source, { value: 'v', idempotencyKey })
    await producer.send(source, { value: 'v' })
    const handled: number[] = []
    const duplicates: number[] = []
    const read = async (group: string, until: number): Promise<void> => {
      await using consumer = await kafka.consumer({ group, topics: [source], reset: 'earliest' })
      const handler = wrapHandler(
        (record: ConsumerRecord<string | null, string | null>) => handled.push(record.offset),
        {
          store: store(),
          group: 'payments',
          onDuplicate: (record) => duplicates.push(record.offset),
        },
      )
      await consumer.run(async (record, context) => {
        await handler(record, context)
        if (record.offset === until) void consumer.close()
      })
    }
    await read(`first-${name}`, 3)
    expect([handled, duplicates]).toEqual([[0, 1, 3], [2]])
    // As if nothing had been committed.
    await read(`second-${name}`, 3)
    expect([handled, duplicates]).toEqual([
      [0, 1, 3],
      [2, 0, 1, 2, 3],
    ])
  })
})

/** Handles what one partition holds with one attempt a record. `waits` hears of each wait for the store. */
async function handleOnce(
  name: string,
  store: IdempotencyStore<Transaction | undefined>,
  waits: (code: unknown) => void,
) {
  const source = topic(name, { key: text, value: text })
  await kafka.admin().createTopics([{ name, partitions: 1 }])
  await using producer = await kafka.producer()
  await producer.send(source, { value: 'v', idempotencyKey: name })
  const [handled, failed]: [number[], unknown[]] = [[], []]
  // Less than it waits for in all.
  const settings = { retry: { attempts: 1 }, handlerTimeoutMs: 500, deadLetters: true }
  await using consumer = await kafka.consumer({
    group: name,
    topics: [source],
    reset: 'earliest',
    ...settings,
  })
  consumer.on('handlerFailed', ({ error }) => waits(((error as Error).cause as { readonly code: unknown }).code))
  consumer.on('deadLettered', ({ error }) => failed.push(error))
  const committed = vi.fn<(event: unknown) => void>()
  consumer.on('committed', committed)
  const handler = wrapHandler((record: ConsumerRecord) => handled.push(record.offset), {
    store,
    group: 'g',
  })
  const running = consumer.run(handler)
  await vi.waitFor(
    () => expect(committed).toHaveBeenCalledWith({ offsets: [{ topic: name, partition: 0, offset: 1 }] }),
    {
      timeout: 20_000,
    },
  )
  await consumer.close()
  await running
  return { handled, failed }
}

describe('a record whose store cannot say whether it was handled', () => {
  test('waits and uses up no attempt, while another process has it under way', async () => {
    const client = redis
    await client.set('sluice:idempotency:1:g:key:held', 'claimed:other', { expiration: { type: 'PX', value: 1_500 } })
    const waits = vi.fn<(code: unknown) => void>()
    const { handled, failed } = await handleOnce('held', redisIdempotency({ client }), waits)
    expect([handled, failed]).toEqual([[0], []])
    expect(waits).toHaveBeenCalledWith('claim_held')
  })

  test('waits and uses up no attempt, while the store is away', async () => {
    await pool.query('ALTER TABLE sluice_idempotency RENAME TO sluice_away')
    let back: Promise<unknown> | undefined
    const waits = vi.fn<(code: unknown) => void>(() => {
      back ??= pool.query('ALTER TABLE sluice_away RENAME TO sluice_idempotency')
    })
    const { handled, failed } = await handleOnce('away', postgresIdempotency({ pool }), waits)
    await back
    expect([handled, failed]).toEqual([[0], []])
    expect(waits).toHaveBeenCalledWith('tables_missing')
  })

  test('is not handled again because it could not be marked', async () => {
    let refusals = 3
    const eval_ = redis.eval.bind(redis)
    const client: RedisClient = {
      eval: (script, options) => {
        const isMark = options.arguments.some((one) => one.startsWith('done:'))
        return isMark && refusals-- > 0 ? Promise.reject(new Error('away')) : eval_(script, options)
      },
    }
    const waits = vi.fn<(code: unknown) => void>()
    const { handled, failed } = await handleOnce('unmarked', redisIdempotency({ client }), waits)
    expect([handled, failed]).toEqual([[0], []])
    expect(waits.mock.calls).toEqual([['redis_unavailable'], ['redis_unavailable'], ['redis_unavailable']])
    expect(await redis.get('sluice:idempotency:1:g:key:unmarked')).toMatch(/^done:/)
  })

  test('is marked before another one is handled, and a claim that was lost meanwhile is told', async () => {
    const lost: string[] = []
    let isAway = false
    const eval_ = redis.eval.bind(redis)
    const client: RedisClient = {
      eval: (script, options) => (isAway ? Promise.reject(new Error('away')) : eval_(script, options)),
    }
    const store = redisIdempotency({ client, onClaimLost: ({ key }) => lost.push(key) })
    const [mark, other] = [newMark(), newMark()]
    const handling = store.once(mark, () => {
      isAway = true
    })
    await expect(handling).rejects.toMatchObject({ code: 'redis_unavailable' })
    const handle = vi.fn<() => void>()
    await expect(store.once(other, handle)).rejects.toMatchObject({ code: 'redis_unavailable' })
    isAway = false
    await redis.set(`sluice:idempotency:1:g:${mark.key}`, 'claimed:-1:other')
    expect(await store.once(other, handle)).toBe('handled')
    expect(await redis.get(`sluice:idempotency:1:g:${mark.key}`)).toMatch(/^done:/)
    expect([handle.mock.calls.length, lost]).toEqual([1, [mark.key]])
  })
})

describe('a handler', () => {
  test('whose transaction was undone for the sake of another one uses up no attempt', async () => {
    await pool.query('CREATE TABLE pairs (id integer PRIMARY KEY)')
    await pool.query('INSERT INTO pairs VALUES (1), (2)')
    const other = await pool.connect()
    await other.query('BEGIN; UPDATE pairs SET id = id WHERE id = 2')
    let others: Promise<unknown> | undefined
    let failures = 0
    const store = postgresIdempotency({ pool })
    const handle = wrapHandler(
      async (_: ConsumerRecord, { tx }: { readonly tx: Transaction }) => {
        // Of the two that wait for each other the server stops the one that has waited for the longest.
        await tx.query("SET LOCAL deadlock_timeout = '10ms'")
        await tx.query('UPDATE pairs SET id = id WHERE id = 1')
        others ??= other.query("SET LOCAL deadlock_timeout = '1h'; UPDATE pairs SET id = id WHERE id = 1; COMMIT")
        await tx.query('UPDATE pairs SET id = id WHERE id = 2')
      },
      { store, group: 'g' },
    )
    const source = topic('pairs', { key: text, value: text })
    await kafka.admin().createTopics([{ name: source.name, partitions: 1 }])
    await using producer = await kafka.producer()
    await producer.send(source, { value: 'v' })
    const options = { group: 'pairs', topics: [source], reset: 'earliest', retry: { attempts: 1 } } as const
    await using consumer = await kafka.consumer(options)
    consumer.on('handlerFailed', ({ error }) => {
      expect(error).toMatchObject({ code: 'postponed', cause: { code: '40P01' } })
      failures++
    })
    consumer.on('deadLettered', ({ error }) => expect.unreachable(String(error)))
    const running = consumer.run(async (record, context) => {
      await handle(record, context)
      void consumer.close()
    })
    await running
    await others
    other.release()
    expect(failures).toBe(1)
  })
})

describe('marks in PostgreSQL', () => {
  test('outlive a server that dies as it lets somebody in', async () => {
    await using proxy = await LastWordsProxy.open(Number(new URL(stack.postgres.url).port))
    const url = new URL(stack.postgres.url)
    url.port = String(proxy.port)
    const cut = new pg.Pool({ connectionString: url.href })
    cut.on('error', () => {})
    const store = postgresIdempotency({ pool: cut })
    const mark = newMark()
    // Unheard, its last words would end the process.
    await expect(store.once(mark, () => {})).rejects.toThrow('connection')
    expect(await store.once(mark, () => {})).toBe('handled')
    await cut.end()
  })

  test('and the effects that go through tx are one transaction', async () => {
    const store = postgresIdempotency({ pool })
    const mark = newMark()
    const charge = (tx: Transaction) => tx.query('INSERT INTO charges VALUES ($1)', [mark.key])
    const count = async (): Promise<number> =>
      (await pool.query('SELECT FROM charges WHERE id = $1', [mark.key])).rowCount!
    const failsAfter = async (tx: Transaction): Promise<never> => {
      await charge(tx)
      throw new Error('afterwards')
    }
    await expect(store.once(mark, failsAfter)).rejects.toThrow('afterwards')
    expect(await count()).toBe(0)
    await store.once(mark, charge)
    await store.once(mark, charge)
    expect(await count()).toBe(1)
    const { rows } = await pool.query('SELECT * FROM sluice_idempotency WHERE key = $1', [mark.key])
    expect(rows).toMatchObject([{ group_id: 'g', topic: 't', partition: 0, offset: '7', leader_epoch: -1 }])
    expect(rows[0].processed_at).toBeInstanceOf(Date)
  })

  test('are purged once they have expired, in small batches', async () => {
    const store = postgresIdempotency({ pool })
    await pool.query('TRUNCATE sluice_idempotency')
    await pool.query(
      `INSERT INTO sluice_idempotency SELECT 'g', 'old-' || n, 't', 0, n, -1, now() - interval '7 days 1 minute'
       FROM generate_series(1, 250) AS n`,
    )
    for (let count = 0; count < 5; count++) await store.once(newMark(), () => {})
    expect(await store.purge({ batchRows: 100 })).toBe(250)
    expect(await store.purge()).toBe(0)
    expect((await pool.query('SELECT FROM sluice_idempotency')).rowCount).toBe(5)
  })
})

describe('marks in Redis', () => {
  test('are claims while a record is handled, which expire where nobody ends them, and are renewed where somebody does', async () => {
    const client = redis
    const store = redisIdempotency({ client, claimMs: 1_000 })
    const mark = newMark()
    // Of a process that was killed.
    await client.set(`sluice:idempotency:1:g:${mark.key}`, 'claimed:other', { expiration: { type: 'PX', value: 300 } })
    await expect(store.once(mark, () => {})).rejects.toMatchObject({ code: 'claim_held' })
    await vi.waitFor(async () => expect(await store.once(mark, () => {})).toBe('handled'), { timeout: 5_000 })

    const slow = newMark()
    const handling = store.once(slow, () => new Promise((resolve) => setTimeout(resolve, 2_500)))
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await expect(store.once(slow, () => {})).rejects.toMatchObject({ code: 'claim_held' })
    expect(await handling).toBe('handled')
    expect(await store.once(slow, () => {})).toBe('duplicate')
    const stored = await client.get(`sluice:idempotency:1:g:${slow.key}`)
    expect(JSON.parse(stored!.replace('done:-1:', ''))).toMatchObject({ topic: 't', partition: 0, offset: 7 })
    expect(await client.pTTL(`sluice:idempotency:1:g:${slow.key}`)).toBeGreaterThan(6 * 86_400_000)
  })

  test('say that a record was handled, also where the claim was lost meanwhile', async () => {
    const lost: string[] = []
    const store = redisIdempotency({ client: redis, onClaimLost: ({ key }) => lost.push(key) })
    for (const taken of ['claimed:other', undefined]) {
      const mark = newMark()
      const key = `sluice:idempotency:1:g:${mark.key}`
      const lose = () => (taken === undefined ? redis.del(key) : redis.set(key, taken))
      expect(await store.once(mark, lose)).toBe('handled')
      expect(await store.once(mark, () => {})).toBe('duplicate')
      expect(lost.at(-1)).toBe(mark.key)
    }
    expect(await store.once(newMark(), () => {})).toBe('handled')
    expect(lost).toHaveLength(2)
  })

  test('of a log that was cut leave alone those of the one that came after', async () => {
    const store = redisIdempotency({ client: redis, onClaimLost: () => {} })
    const [before, after] = [newMark({ key: 'cut', leaderEpoch: 3 }), newMark({ key: 'cut', leaderEpoch: 4 })]
    const key = 'sluice:idempotency:1:g:cut'
    const overtaken = async (): Promise<void> => {
      await redis.del(key)
      expect(await store.once(after, () => {})).toBe('handled')
    }
    expect(await store.once(before, overtaken)).toBe('handled')
    expect(await store.once(after, () => {})).toBe('duplicate')
  })
})
