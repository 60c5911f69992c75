import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumer, Kafka, type ConsumerOptions, text, topic, topicPattern } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GroupMemberJob } from './programs/group-member.ts'
import { Child, fromSource } from './support/child.ts'
import { quickBrokers } from './support/quick-brokers.ts'
import { until } from './support/until.ts'

const within = { timeoutMs: 40_000 }

let stack: Stack
let kafka: Kafka
let folder: string

beforeAll(async () => {
  stack = await startStack({ kafka: { properties: quickBrokers } })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'consumer-subscription' })
  folder = mkdtempSync(join(tmpdir(), 'sluice-subscription-'))
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

async function create(name: string, partitions = 1) {
  await kafka.admin().createTopics([{ name, partitions }])
  return topic(name, { value: text })
}

async function write(name: string, values: readonly string[], timestampMs?: number): Promise<void> {
  await using producer = await kafka.producer()
  const target = topic(name, { value: text })
  const at = timestampMs === undefined ? {} : { timestampMs }
  await Promise.all(values.map((value) => producer.send(target, { value, partition: 0, ...at })))
}

/** Notes `topic:value` until it is closed. */
async function collect(options: Parameters<typeof kafka.consumer>[0]) {
  const consumer = await kafka.consumer(options)
  const seen: string[] = []
  const assigned: string[] = []
  consumer.on('assigned', ({ partitions }) => {
    for (const place of partitions) assigned.push(`${place.topic}/${place.partition}`)
  })
  const running = consumer.run((record) => void seen.push(`${record.topic}:${String(record.value)}`))
  const close = async (): Promise<void> => {
    await consumer.close()
    await running
  }
  return { consumer, seen, assigned, running, close }
}

describe('a pattern', () => {
  test('finds topics now and later, leaves dead letters and retries alone, and lets go of what is deleted', async () => {
    for (const name of ['shop.orders', 'shop.orders.dlq', 'shop.orders.g.retry', 'shop-bills']) await create(name)
    for (const name of ['shop.orders', 'shop.orders.dlq', 'shop.orders.g.retry']) await write(name, ['a'])
    const pattern = topicPattern(/^shop\./, { value: text })
    const bills = topic('shop-bills', { value: text })
    const group = 'patterns'
    const reading = await collect({ group, topics: [pattern, bills], reset: 'earliest', patternRefreshMs: 300 })
    const { consumer, seen, assigned, close } = reading
    await until(() => seen.includes('shop.orders:a') && assigned.includes('shop-bills/0'), within)
    await create('shop.carts')
    await write('shop.carts', ['b'])
    await until(() => seen.includes('shop.carts:b'), within)
    await kafka.admin().deleteTopics(['shop.orders'])
    const topics = () => new Set(consumer.inspect().partitions?.map((one) => one.topic))
    await until(() => !topics().has('shop.orders'), within)
    expect(topics()).toEqual(new Set(['shop-bills', 'shop.carts']))
    await write('shop-bills', ['c'])
    await until(() => seen.includes('shop-bills:c'), within)
    expect(seen).toEqual(['shop.orders:a', 'shop.carts:b', 'shop-bills:c'])
    await close()
  })

  test('that matches nothing yet joins and waits', async () => {
    const { seen, close } = await collect({
      group: 'nothing-yet',
      topics: [/^later-/],
      reset: 'latest',
      patternRefreshMs: 300,
    })
    await sleep(1_000)
    await create('later-1')
    await write('later-1', ['first'])
    await until(() => seen.length === 1, within)
    expect(seen).toEqual(['later-1:first'])
    await close()
  })
})

describe('the reset policy', () => {
  test('by time starts at the first record of that time, and none names the partitions', async () => {
    const target = await create('times', 2)
    const nowMs = Date.now()
    await write('times', ['old'], nowMs - 3_600_000)
    await write('times', ['new'], nowMs - 60_000)
    const { seen, close } = await collect({ group: 'times', topics: [target], reset: { agoMs: 600_000 } })
    await until(() => seen.length === 1, within)
    await close()
    expect(seen).toEqual(['times:new'])
    // What was begun by time is committed, and goes on without a policy.
    await write('times', ['newer'])
    const later = await collect({ group: 'times', topics: [target], reset: 'none' })
    await until(() => later.seen.length === 1, within)
    await later.close()
    const nobody = await kafka.consumer({ group: 'times-none', topics: [target], reset: 'none' })
    await expect(nobody.run(() => undefined)).rejects.toMatchObject({
      code: 'position_missing',
      partitions: [
        { topic: 'times', partition: 0 },
        { topic: 'times', partition: 1 },
      ],
    })
  })
})

describe('a static member', () => {
  const settings = { reset: 'earliest', sessionTimeoutMs: 45_000, heartbeatIntervalMs: 100 } as const

  async function member(target: Awaited<ReturnType<typeof create>>, instanceId: string, stateDir?: string) {
    const options: ConsumerOptions<typeof target> = {
      group: `group-of-${target.name}`,
      topics: [target],
      instanceId,
      ...settings,
      ...(stateDir !== undefined && { stateDir }),
    }
    return await collect(options)
  }

  test('gets its own partitions back at once when it restarts, while the others keep theirs', async () => {
    const target = await create('statics', 4)
    const one = await member(target, 'one')
    const two = await member(target, 'two')
    await until(() => owned(one.consumer).length === 2 && owned(two.consumer).length === 2, within)
    const before = owned(one.consumer)
    const revoked: unknown[] = []
    two.consumer.on('assigned', (event) => revoked.push(event))
    two.consumer.on('revoked', (event) => revoked.push(event))
    await one.close()
    await sleep(1_000)
    expect(owned(two.consumer)).toHaveLength(2)
    const startMs = performance.now()
    const again = await member(target, 'one')
    await until(() => owned(again.consumer).length === 2, within)
    const backMs = performance.now() - startMs
    expect(owned(again.consumer)).toEqual(before)
    expect(revoked).toEqual([])
    expect(backMs).toBeLessThan(10_000)
    await again.close()
    await two.close()
  })

  test('is refused clearly while another one has its instance id', async () => {
    const target = await create('twins')
    const one = await member(target, 'twin')
    await until(() => owned(one.consumer).length === 1, within)
    const other = await kafka.consumer({
      group: 'group-of-twins',
      topics: [target],
      instanceId: 'twin',
      sessionTimeoutMs: 1_000,
      heartbeatIntervalMs: 100,
    })
    await expect(other.run(() => undefined)).rejects.toMatchObject({
      code: 'membership_refused',
      message: expect.stringContaining('another live member holds its instance id'),
    })
    expect(owned(one.consumer)).toHaveLength(1)
    await one.close()
  })

  test('that was killed is back with its partitions long before its session ends, by its state file', async () => {
    const target = await create('phoenix', 4)
    const group = `group-of-${target.name}`
    const stateDir = join(folder, 'static')
    const two = await member(target, 'two')
    const job: GroupMemberJob = {
      bootstrap: stack.kafka.bootstrapServers,
      topic: target.name,
      group,
      name: 'one',
      log: join(folder, 'static.log'),
      stateDir,
      handlerMs: 1,
      options: { instanceId: 'one', ...settings },
    }
    const program = fromSource(join(import.meta.dirname, 'programs/group-member.ts'), [JSON.stringify(job)])
    await using first = new Child(...program)
    await first.line((line) => line.startsWith('assigned'))
    await until(() => owned(two.consumer).length === 2, within)
    const moved: unknown[] = []
    two.consumer.on('assigned', (event) => moved.push(event))
    two.consumer.on('revoked', (event) => moved.push(event))
    await first.kill('SIGKILL')
    const startMs = performance.now()
    await using again = new Child(...program)
    await again.line((line) => line.startsWith('assigned'), 20_000)
    expect(performance.now() - startMs).toBeLessThan(20_000)
    expect(moved).toEqual([])
    await again.kill('SIGTERM')
    await two.close()
  })

  /** Partitions that are read: it has been told that they are assigned. */
  function owned(consumer: Consumer<never>): number[] {
    const begun = (consumer.inspect().partitions ?? []).filter(({ phase }) => phase !== 'starting')
    return begun.map(({ partition }) => partition).toSorted((a, b) => a - b)
  }
})

test('all brokers lost and one back are told, and reading goes on', async () => {
  const target = await create('lost')
  const { consumer, seen, close } = await collect({ group: 'lost', topics: [target], reset: 'earliest' })
  const told: string[] = []
  consumer.on('clusterLost', () => told.push('lost'))
  consumer.on('clusterBack', () => told.push('back'))
  await write('lost', ['before'])
  await until(() => seen.length === 1, within)
  const { id } = stack.kafka.brokers[0]!
  await stack.kafka.kill(id)
  await until(() => told.includes('lost'), within)
  await stack.kafka.restart(id)
  await write('lost', ['after'])
  await until(() => seen.length === 2, within)
  expect(seen).toEqual(['lost:before', 'lost:after'])
  expect(told).toEqual(['lost', 'back'])
  await close()
})
