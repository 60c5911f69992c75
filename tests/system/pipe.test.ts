import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, json, outputTo, text, topic, type TransactionStep } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { PipingMemberJob } from './programs/piping-member.ts'
import { Child, fromSource } from './support/child.ts'
import { faultsOf, fill, lagOf, lines, noFaults, readAll, upTo } from './support/copied-lines.ts'
import { quickBrokers } from './support/quick-brokers.ts'
import { readTopic } from './support/read-topic.ts'

const program = join(import.meta.dirname, 'programs', 'piping-member.ts')
const start = (job: PipingMemberJob): Child => new Child(...fromSource(program, [JSON.stringify(job)]))
const partitions = 4

const sessionTimeoutMs = 3_000
const quick = {
  'group.consumer.min.session.timeout.ms': 1_000,
  'group.consumer.session.timeout.ms': sessionTimeoutMs,
  'group.consumer.min.heartbeat.interval.ms': 500,
  'group.consumer.heartbeat.interval.ms': 500,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
}

describe('a pipe', () => {
  let stack: Stack
  let kafka: Kafka

  beforeAll(async () => {
    stack = await startStack({ kafka: { properties: quick } })
    kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'pipe' })
  })

  afterAll(async () => {
    await kafka?.close()
    await stack?.close()
  })

  test('writes what its handler returns to the topics it names', async () => {
    const orders = topic('orders', { key: text, value: json<{ readonly n: number }>() })
    const enriched = topic('enriched', { key: text, value: json<{ readonly double: number }>() })
    const audit = topic('audit', { value: text })
    for (const { name } of [orders, enriched, audit]) await kafka.admin().createTopics([{ name, partitions: 2 }])
    await using producer = await kafka.producer()
    await Promise.all(upTo(100).map((n) => producer.send(orders, { key: `k${n % 7}`, value: { n } })))

    await using pipe = await kafka.pipe({
      group: 'enrich',
      from: orders,
      to: enriched,
      reset: 'earliest',
      handler: async ({ key, value: { n } }) => {
        if (n % 10 === 0) return null
        const output = { key, value: { double: 2 * n } }
        return n % 10 === 1 ? [output, outputTo(audit, { value: `saw ${n}` })] : output
      },
    })
    const outputs = await readTopic(kafka, enriched, 90)
    const notes = await readTopic(kafka, audit, 10)
    expect(new Set(outputs.map(({ value }) => value.double))).toEqual(
      new Set(upTo(100).flatMap((n) => (n % 10 === 0 ? [] : [2 * n]))),
    )
    expect(new Set(notes.map(({ value }) => value))).toEqual(new Set(upTo(10).map((n) => `saw ${10 * n + 1}`)))
    await vi.waitFor(async () => expect(await lagOf(kafka, 'enrich', 'orders')).toBe(0), 10_000)
    expect(await pipe.close()).toEqual({ abandonedHandlers: 0, uncommitted: [] })
    await pipe.done
  })

  test('of the example prices each order once', async () => {
    const orders = topic('orders-to-price', { value: json<{ readonly amount: number; readonly price: number }>() })
    const priced = topic('priced-orders', { value: json<{ readonly total: number }>() })
    for (const { name } of [orders, priced]) await kafka.admin().createTopics([{ name, partitions: 2 }])
    await using producer = await kafka.producer()
    await Promise.all(upTo(50).map((n) => producer.send(orders, { key: `k${n}`, value: { amount: n, price: 3 } })))
    const file = join(import.meta.dirname, '..', '..', 'packages', 'kafka', 'examples', 'enrich.ts')
    const { enrich } = (await import(file)) as { enrich: (kafka: Kafka) => Promise<void> }
    const own = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'pricing' })
    const running = enrich(own)
    const results = await readTopic(kafka, priced, 50)
    await own.close()
    await running
    expect(results.map(({ value }) => value.total).toSorted((a, b) => a - b)).toEqual(upTo(50).map((n) => 3 * n))
  })

  /** Two topics with `count` records in the first, and how a pipe from one to the other is started as a process. */
  async function prepare(name: string, count: number): Promise<PipingMemberJob> {
    const [from, to] = [`${name}-source`, `${name}-copy`]
    for (const one of [from, to]) await kafka.admin().createTopics([{ name: one, partitions }])
    await fill(kafka, from, count)
    const options = { maxOutputs: 200, order: 'key', sessionTimeoutMs } as const
    return { bootstrap: stack.kafka.bootstrapServers, from, to, group: name, name: 'first', options }
  }

  const allRead = async ({ group, from }: PipingMemberJob): Promise<void> =>
    await vi.waitFor(async () => expect(await lagOf(kafka, group, from)).toBe(0), { timeout: 60_000, interval: 200 })

  test('commits retries, dead letters and what cannot be written together with the offsets', async () => {
    const count = 400
    const { from, to, group } = await prepare('failing', count)
    const events: string[] = []
    const fails = (n: number): boolean => n % 40 === 7
    await using pipe = await kafka.pipe({
      group,
      from: lines(from),
      to: lines(to),
      reset: 'earliest',
      order: 'key',
      retry: { attempts: 2, initialMs: 200, topicAfterMs: 100 },
      handler: async ({ key, value }, { attempt }) => {
        const n = Number(value)
        if (fails(n) && attempt === 1) throw new Error(`not yet ${n}`)
        if (n === 13) throw new Error('never')
        return { key, value: n === 14 ? randomBytes(1_500_000).toString('hex') : value }
      },
    })
    pipe.on('deadLettered', ({ offset, error }) => events.push(`${offset} ${(error as Error).name}`))
    const outputs = await readTopic(kafka, lines(to), count - 2)
    await allRead({ group, from } as PipingMemberJob)
    await vi.waitFor(async () => expect(await lagOf(kafka, group, `${from}.${group}.retry`)).toBe(0), 20_000)
    await pipe.close()
    expect(await readAll(kafka, to)).toHaveLength(count - 2)
    expect(faultsOf(outputs, count)).toEqual({ ...noFaults, missing: 2 })
    const letters = await readAll(kafka, `${from}.dlq`)
    expect(new Set(letters.map(({ value }) => value))).toEqual(new Set(['13', '14']))
    expect(letters).toHaveLength(2)
    expect(events.map((event) => event.split(' ')[1]).toSorted((a, b) => a!.localeCompare(b!))).toEqual([
      'Error',
      'RecordTooLargeError',
    ])
  })

  test('fails the records whose outputs name partitions that their topic was created again without', async () => {
    const [from, to] = [topic('shrinking-source', { value: text }), topic('shrinking', { value: text })]
    const create = (name: string, count: number) => kafka.admin().createTopics([{ name, partitions: count }])
    await create(from.name, 1)
    await create(to.name, 4)
    await using producer = await kafka.producer()
    await using direct = await kafka.producer()
    await direct.send(to, { value: 'direct', partition: 3 })
    await using pipe = await kafka.pipe({
      group: 'shrinking',
      from,
      to,
      reset: 'earliest',
      retry: { attempts: 1 },
      handler: ({ value }) => ({ value, partition: Number(value) }),
    })
    await producer.send(from, { value: '2' })
    await readTopic(kafka, to, 2)
    await kafka.admin().deleteTopics([to.name])
    await create(to.name, 2)

    for (const value of ['2', '1', '3', '0']) await producer.send(from, { value })
    await expect(direct.send(to, { value: 'direct', partition: 3 })).rejects.toThrow('which has 2 (0 to 1)')
    expect(new Set((await readTopic(kafka, to, 2)).map(({ value }) => value))).toEqual(new Set(['0', '1']))
    const dead = await readTopic(kafka, topic(`${from.name}.dlq`, { value: text }), 2)
    expect(dead.map(({ value }) => value)).toEqual(['2', '3'])
    await vi.waitFor(async () => expect(await lagOf(kafka, 'shrinking', from.name)).toBe(0), 10_000)
    expect(await pipe.close()).toEqual({ abandonedHandlers: 0, uncommitted: [] })
  })

  test('hands partitions over to another in the middle, and takes them back', async () => {
    const count = 10_000
    const job = await prepare('rebalanced', count)
    await using first = start(job)
    await first.line((line) => line.startsWith('committed'))
    await using second = start({ ...job, name: 'second' })
    await second.line((line) => line.startsWith('assigned'))
    await first.line((line) => line.startsWith('revoked'))
    await fill(kafka, job.from, count, count)
    await second.line((line) => line.startsWith('committed'))
    expect(await first.kill('SIGTERM')).toMatchObject({ code: 0 })
    await fill(kafka, job.from, count, 2 * count)
    await allRead(job)
    expect(await second.kill('SIGTERM')).toMatchObject({ code: 0 })
    expect(faultsOf(await readAll(kafka, job.to), 3 * count)).toEqual(noFaults)
  })

  test('writes a transaction again that the broker has aborted for its age', async () => {
    const count = 5_000
    const job = await prepare('aged', count)
    await using pipe = start({ ...job, freezeAt: 'offsets', options: { ...job.options, transactionTimeoutMs: 1_000 } })
    await pipe.line((line) => line === 'freezing')
    // Readers of what is committed are held back for as long as the transaction is open.
    const endOf = (isolation: 'read_committed' | 'read_uncommitted') =>
      kafka.admin().offsets([job.to], 'latest', { isolation })
    expect(await endOf('read_committed')).not.toEqual(await endOf('read_uncommitted'))
    await vi.waitFor(async () => expect(await endOf('read_committed')).toEqual(await endOf('read_uncommitted')), 10_000)
    process.kill(pipe.pid, 'SIGCONT')
    expect(await pipe.line((line) => line.startsWith('aborted'))).toMatch(
      /PRODUCER_FENCED|INVALID_PRODUCER_EPOCH|INVALID_TXN_STATE/,
    )
    await allRead(job)
    expect(await pipe.kill('SIGTERM')).toMatchObject({ code: 0 })
    expect(faultsOf(await readAll(kafka, job.to), count)).toEqual(noFaults)
  })

  test('that was frozen past its session commits nothing of what it held', async () => {
    const count = 5_000
    const job = await prepare('frozen', count)
    await using zombie = start({ ...job, freezeAt: 'outputs' })
    await zombie.line((line) => line === 'freezing')
    await using heir = start({ ...job, name: 'heir' })
    await heir.line((line) => line.startsWith('committed'))
    process.kill(zombie.pid, 'SIGCONT')
    await zombie.line((line) => line.startsWith('lost'))
    await zombie.line((line) => line.startsWith('aborted'))
    await allRead(job)
    for (const one of [zombie, heir]) expect(await one.kill('SIGTERM')).toMatchObject({ code: 0 })
    expect(faultsOf(await readAll(kafka, job.to), count)).toEqual(noFaults)
  })

  test('that was frozen stops when another has taken over its transactional id', async () => {
    const count = 5_000
    const job = await prepare('replaced', count)
    await using zombie = start({ ...job, freezeAt: 'outputs' })
    await zombie.line((line) => line === 'freezing')
    await using heir = start(job)
    await heir.line((line) => line.startsWith('committed'))
    process.kill(zombie.pid, 'SIGCONT')
    await zombie.line((line) => line.startsWith('fenced'))
    expect((await zombie.ended).stderr).toContain('ProducerFencedError')
    await allRead(job)
    expect(await heir.kill('SIGTERM')).toMatchObject({ code: 0 })
    expect(faultsOf(await readAll(kafka, job.to), count)).toEqual(noFaults)
  })
})

test('goes on while a broker of its cluster is killed and comes back', async () => {
  // Three: one that restarts alone forgets to mark transactions that it finds open (Kafka 4.3.1; see DESIGN.md).
  await using stack = await startStack({ kafka: { brokers: 3, properties: { ...quick, ...quickBrokers } } })
  await using kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(','), clientId: 'pipe-brokers' })
  const count = 10_000
  for (const name of ['source', 'copy']) await kafka.admin().createTopics([{ name, partitions }])
  await fill(kafka, 'source', count)
  const options = { maxOutputs: 200, order: 'key' } as const
  const { bootstrapServers: bootstrap } = stack.kafka
  await using pipe = start({ bootstrap, from: 'source', to: 'copy', group: 'survivor', name: 'first', options })
  await pipe.line((line) => line.startsWith('committed'))
  await stack.kafka.kill(1)
  await fill(kafka, 'source', count, count)
  pipe.lines.length = 0
  await stack.kafka.restart(1)
  await vi.waitFor(async () => {
    const topics = await kafka.admin().describeTopics(['source', 'copy', '__consumer_offsets', '__transaction_state'])
    expect(topics.flatMap((topic) => topic.partitions).every(({ inSync }) => inSync.length === 3)).toBe(true)
  }, 60_000)
  await fill(kafka, 'source', count, 2 * count)
  await vi.waitFor(async () => expect(await lagOf(kafka, 'survivor', 'source')).toBe(0), 60_000)
  expect(await pipe.kill('SIGTERM')).toMatchObject({ code: 0 })
  expect(faultsOf(await readAll(kafka, 'copy'), 3 * count)).toEqual(noFaults)
}, 240_000)

test('goes on where the broker takes only short offset maps: a partition waits alone for what is slow in it', async () => {
  const properties = { 'offset.metadata.max.bytes': 100 }
  await using stack = await startStack({ kafka: { properties } })
  await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'pipe-maps' })
  const from = topic('mapped', { key: text, value: text })
  const to = topic('mapped-copy', { key: text, value: text })
  for (const { name } of [from, to]) await kafka.admin().createTopics([{ name, partitions: 2 }])
  await using producer = await kafka.producer()
  const count = 2_000
  await Promise.all(
    upTo(count).map((n) =>
      producer.send(from, { key: `k${((n * 48_271 ** 2) % 2_147_483_647) % 211}`, value: `${n}`, partition: n % 2 }),
    ),
  )
  const head = Promise.withResolvers<void>()
  await using pipe = await kafka.pipe({
    group: 'mapper',
    from,
    to,
    reset: 'earliest',
    order: 'key',
    concurrency: 200,
    maxOutputs: 20,
    handlerTimeoutMs: 60_000,
    handler: async ({ key, value, partition }) => {
      // Every other key of one partition: what is finished there lies scattered, and its map is long.
      if (partition === 0 && Number(key!.slice(1)) % 2 === 0) await head.promise
      return { key, value }
    },
  })
  const refused = vi.fn<(error: { readonly error: unknown }) => void>()
  pipe.on('error', refused)
  const committedOfOther = async (): Promise<unknown> =>
    (await kafka.admin().committedOffsets('mapper')).find(({ partition }) => partition === 1)?.offset
  await vi.waitFor(async () => expect(await committedOfOther()).toBe(count / 2), 30_000)
  head.resolve()
  const copies = await readTopic(kafka, to, count)
  expect(copies.map(({ value }) => Number(value)).toSorted((a, b) => a - b)).toEqual(upTo(count))
  const error = expect.objectContaining({ apiError: 'OFFSET_METADATA_TOO_LARGE' }) as Error
  expect(refused).toHaveBeenCalledWith({ during: 'commit', error })
})

describe.each([
  [2, {}],
  [1, { formatArguments: ['--feature', 'transaction.version=1'] }],
])('with version %d of transactions', (version, options) => {
  let stack: Stack
  let kafka: Kafka

  beforeAll(async () => {
    stack = await startStack({ kafka: options })
    kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'pipe-kills' })
  })

  afterAll(async () => {
    await kafka?.close()
    await stack?.close()
  })

  test('20,000 records through a pipe that is killed at each step: each output once, in order by key', async () => {
    const count = 20_000
    for (const name of ['source', 'copy', 'tenth']) await kafka.admin().createTopics([{ name, partitions }])
    await fill(kafka, 'source', count)
    const job: PipingMemberJob = {
      bootstrap: stack.kafka.bootstrapServers,
      from: 'source',
      to: 'copy',
      audit: 'tenth',
      group: 'copier',
      name: 'copier-1',
      stateDir: mkdtempSync(join(tmpdir(), 'sluice-pipe-')),
      options: { maxOutputs: 200, order: 'key' },
    }
    const steps: readonly TransactionStep[] = ['begin', 'outputs', 'offsets', 'end_sent', 'committed']
    for (const dieAt of steps) {
      await using member = start({ ...job, dieAt })
      expect(await member.ended, member.lines.join('\n')).toMatchObject({ signal: 'SIGKILL' })
    }
    const before = await lagOf(kafka, 'copier', 'source')
    // Nobody kills this one: its transactions need not be small.
    await using member = start({ ...job, options: { order: 'key' } })
    await vi.waitFor(async () => expect(await lagOf(kafka, 'copier', 'source')).toBe(0), 60_000)
    expect(await member.kill('SIGTERM'), member.lines.join('\n')).toMatchObject({ code: 0 })

    expect(before, 'nothing was left for the last one').toBeGreaterThan(0)
    expect(faultsOf(await readAll(kafka, 'copy'), count)).toEqual(noFaults)
    const tenth = await readAll(kafka, 'tenth')
    expect(tenth.length).toBe(new Set(tenth.map(({ value }) => value)).size)
    const sources = await readAll(kafka, 'source')
    expect(tenth.length).toBe(sources.filter(({ offset }) => offset % 10 === 0).length)
    await using probe = await kafka.transactionalProducer({ transactionalId: 'probe' })
    expect(probe.inspect().version).toBe(version)
  })
})
