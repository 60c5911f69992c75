import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, bytes, nullable, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freeze } from './support/freeze.ts'
import { freePort, HoldingProxy } from './support/holding-proxy.ts'
import { kafkaTool, readWithJava } from './support/java.ts'
import { quickBrokers } from './support/quick-brokers.ts'
import { findings, idsInTopic, RecordStream } from './support/sent-records.ts'

describe('one broker', () => {
  let stack: Stack
  let kafka: Kafka
  let proxyPort: number
  /** Of the listener behind the proxy. */
  let behindPort: number

  beforeAll(async () => {
    proxyPort = await freePort()
    behindPort = await freePort()
    // A second listener is advertised at the proxy's port: who bootstraps there stays there.
    const properties = (broker: { readonly port: number; readonly controllerPort: number }) => ({
      listeners: `PLAINTEXT://127.0.0.1:${broker.port},PROXIED://127.0.0.1:${behindPort},CONTROLLER://127.0.0.1:${broker.controllerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker.port},PROXIED://127.0.0.1:${proxyPort}`,
      ...quickBrokers,
      // Or a quota lets eleven seconds' worth pass before it holds anything back.
      'quota.window.num': 2,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    })
    stack = await startStack({ kafka: { properties } })
    kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'producer-test', requestTimeoutMs: 2_000 })
  })

  afterAll(async () => {
    await kafka?.close()
    await stack?.close()
  })

  test('killed and started again under load: everything is delivered, once and in order', async () => {
    const target = topic('killed', { value: text })
    await kafka.admin().createTopics([{ name: target.name, partitions: 3 }])
    await using producer = await kafka.producer({ queue: { maxRecords: 10_000 } })
    const stream = new RecordStream(producer, target, { partitions: 3, perMs: 4 })
    await stream.nextDelivery()
    await sleep(500)
    await stack.kafka.kill(1)
    await sleep(500)
    await stack.kafka.restart(1)
    await stream.nextDelivery()
    await stream.stop()
    expect(stream.records.filter(({ error }) => error)).toEqual([])
    expect(findings(stream.records, await idsInTopic(stack.kafka.bootstrapServers, target.name))).toEqual([])
  })

  describe('an invalid record among a hundred that are sent at once', () => {
    const hourMs = 3_600_000
    const cases = [
      ['without a key to a compacted topic', { 'cleanup.policy': 'compact' }, {}, 'without key'],
      ['48 hours ahead', {}, { key: 'k', timestampMs: Date.now() + 48 * hourMs }, 'out of range'],
    ] as const
    test.each(cases)('%s: is rejected alone, with its own reason', async (name, configs, bad, message) => {
      const target = topic(`invalid-${name.replaceAll(' ', '-')}`, { key: nullable(text), value: text })
      await kafka.admin().createTopics([{ name: target.name, partitions: 1, configs }])
      await using producer = await kafka.producer({ lingerMs: 50 })
      const sent = Array.from({ length: 100 }, (_, i) =>
        producer.send(target, { key: 'k', value: String(i), ...(i === 50 && { key: null, ...bad }) }),
      )
      const outcomes = await Promise.allSettled(sent)
      const failed = outcomes.flatMap((outcome, i) => (outcome.status === 'rejected' ? [[i, outcome.reason]] : []))
      expect(failed).toMatchObject([[50, { outcome: 'refused', blame: 'record', partition: 0 }]])
      expect(String(failed[0]![1])).toContain(message)
      const values = await valuesOf(kafka, target.name)
      expect(values).toEqual(Array.from({ length: 100 }, (_, i) => String(i)).filter((value) => value !== '50'))
      expect(await valuesOf(kafka, `${target.name}.dlq`)).toEqual(['50'])
    })

    test('in a transaction: its place is named', async () => {
      const target = topic('invalid-in-a-transaction', { key: nullable(text), value: text })
      await kafka.admin().createTopics([{ name: target.name, partitions: 1 }])
      await using producer = await kafka.transactionalProducer({ transactionalId: 'invalid' })
      const send = (badAt: number) =>
        producer.run((transaction) => {
          for (let i = 0; i < 100; i++) transaction.send(target, { key: i === badAt ? null : 'k', value: String(i) })
        })
      await send(-1)
      // The producer knows the topic as one that takes records without a key.
      await kafka.admin().alterTopic(target.name, { configs: { 'cleanup.policy': 'compact' } })
      await expect(send(50)).rejects.toMatchObject({
        outcome: 'aborted',
        cause: { apiError: 'INVALID_RECORD', record: 50 },
      })
    })
  })

  test('frozen past the request timeout under load: everything is delivered, once and in order', async () => {
    const target = topic('frozen', { value: text })
    await kafka.admin().createTopics([{ name: target.name, partitions: 3 }])
    await using producer = await kafka.producer()
    const stream = new RecordStream(producer, target, { partitions: 3, perMs: 2 })
    await stream.nextDelivery()
    stack.kafka.pause(1)
    await sleep(3_000)
    stack.kafka.resume(1)
    await stream.nextDelivery()
    await stream.stop()
    expect(stream.records.filter(({ error }) => error)).toEqual([])
    expect(findings(stream.records, await idsInTopic(stack.kafka.bootstrapServers, target.name))).toEqual([])
  })

  test('a batch that was given up and arrives late is refused: its successors are there, in order', async () => {
    const target = topic('late', { value: text })
    await kafka.admin().createTopics([{ name: target.name, partitions: 1 }])
    await using proxy = await HoldingProxy.open(proxyPort, behindPort)
    await using proxied = new Kafka({ brokers: [`127.0.0.1:${proxyPort}`], requestTimeoutMs: 2_000 })
    await using producer = await proxied.producer({ deliveryTimeoutMs: 1_500, lingerMs: 0 })
    await producer.send(target, { value: 'before' })
    proxy.hold()
    await expect(producer.send(target, { value: 'late' })).rejects.toMatchObject({ outcome: 'unknown' })
    expect((await producer.send(target, { value: 'next' })).offset).toBe(1)
    proxy.release()
    await sleep(500)
    expect((await producer.send(target, { value: 'after' })).offset).toBe(2)
    expect(await readWithJava(stack.kafka.bootstrapServers, target.name)).toEqual(['before', 'next', 'after'])
  })

  test('whose quota is exceeded: the queue stays within its bounds, throttled at 800 and released at 200', async () => {
    const target = topic('quota', { value: bytes })
    await kafka.admin().createTopics([{ name: target.name, partitions: 1 }])
    await using slow = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'slow-producer' })
    const where = ['--bootstrap-server', stack.kafka.bootstrapServers, '--alter']
    const quota = [
      '--add-config',
      'producer_byte_rate=200000',
      '--entity-type',
      'clients',
      '--entity-name',
      'slow-producer',
    ]
    await kafkaTool('kafka.admin.ConfigCommand', [...where, ...quota])
    await using producer = await slow.producer({ compression: 'none' })
    const heard: string[] = []
    producer.on('throttled', ({ records }) => heard.push(`throttled at ${records}`))
    producer.on('released', ({ records }) => heard.push(`released ${records <= 200 ? 'at 200 or less' : records}`))
    let most = 0
    let delivered = 0
    let longestPauseMs = 0
    for (let i = 0; i < 8_000; i++) {
      await producer.ready()
      void producer.send(target, { value: Buffer.alloc(100) }).then(() => delivered++)
      const { queue, sender } = producer.inspect()
      most = Math.max(most, queue.records)
      longestPauseMs = Math.max(longestPauseMs, sender.brokers[0]?.pausedForMs ?? 0)
    }
    await producer.flush()
    expect([delivered, most]).toEqual([8_000, 800])
    expect(longestPauseMs, 'the broker asked for pauses').toBeGreaterThan(100)
    expect(heard.length).toBeGreaterThan(4)
    expect(new Set(heard)).toEqual(new Set(['throttled at 800', 'released at 200 or less']))
  })

  test('that is frozen when the producer is closed: close ends in its time and accounts for every record', async () => {
    const target = topic('closing', { value: text })
    await kafka.admin().createTopics([{ name: target.name, partitions: 1 }])
    const producer = await kafka.producer()
    await producer.send(target, { value: 'delivered' })
    await freeze(stack)
    const lost = Promise.allSettled(['a', 'b', 'c'].map((value) => producer.send(target, { value })))
    const startedMs = performance.now()
    const report = await producer.close({ timeoutMs: 300 })
    stack.kafka.resume(1)
    expect(report).toEqual({ accepted: 4, delivered: 1, refused: 0, unknown: 3, abandoned: 3 })
    expect(performance.now() - startedMs).toBeLessThan(2_000)
    expect((await lost).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  })

  test('that refuses a record larger than its topic takes: that one is refused, the others are delivered', async () => {
    const target = topic('small', { value: bytes })
    await kafka.admin().createTopics([{ name: target.name, partitions: 1, configs: { 'max.message.bytes': '10000' } }])
    await using producer = await kafka.producer({ compression: 'none' })
    const sizes = [...Array.from({ length: 100 }, () => 500), 20_000, ...Array.from({ length: 100 }, () => 500)]
    const sent = await Promise.allSettled(sizes.map((size) => producer.send(target, { value: Buffer.alloc(size) })))
    const failed = sent.flatMap((one, index) => (one.status === 'rejected' ? [[index, one.reason]] : []))
    expect(failed).toMatchObject([[100, { outcome: 'refused', cause: { apiError: 'MESSAGE_TOO_LARGE' } }]])
    const offsets = sent.flatMap((one) => (one.status === 'fulfilled' ? [one.value.offset] : []))
    expect(offsets).toEqual(Array.from({ length: 200 }, (_, index) => index))
  })

  test('acks 1 and 0, without idempotence, deliver too', async () => {
    const target = topic('acks', { value: text })
    await kafka.admin().createTopics([{ name: target.name, partitions: 1 }])
    await using one = await kafka.producer({ acks: 1, idempotent: false })
    expect(await one.send(target, { value: 'one' })).toMatchObject({ offset: 0 })
    await using none = await kafka.producer({ acks: 0, idempotent: false })
    expect(await none.send(target, { value: 'none' })).toMatchObject({ offset: -1 })
    expect(await readWithJava(stack.kafka.bootstrapServers, target.name, { records: 2 })).toEqual(['one', 'none'])
  })
})

describe('three brokers', () => {
  test('of which one is frozen and another one killed under load: nothing is lost, twice there or out of order', async () => {
    await using stack = await startStack({
      kafka: { brokers: 3, properties: { ...quickBrokers, 'min.insync.replicas': 2 } },
    })
    await using kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(','), requestTimeoutMs: 2_000 })
    const target = topic('moving', { value: text })
    await kafka.admin().createTopics([{ name: target.name, partitions: 6, replicationFactor: 3 }])
    await using producer = await kafka.producer({ queue: { maxRecords: 10_000 } })
    const stream = new RecordStream(producer, target, { partitions: 6, perMs: 3 })
    await stream.nextDelivery()
    stack.kafka.pause(1)
    // Past its session and past the requests to it.
    await sleep(6_000)
    stack.kafka.resume(1)
    await sleep(2_000)
    await stack.kafka.kill(2)
    await sleep(2_000)
    await stack.kafka.restart(2)
    await stream.nextDelivery()
    await stream.stop()
    expect(stream.records.filter(({ error }) => error)).toEqual([])
    expect(findings(stream.records, await idsInTopic(stack.kafka.bootstrapServers, target.name))).toEqual([])
  })
})

async function valuesOf(kafka: Kafka, name: string): Promise<string[]> {
  const values: string[] = []
  await using reader = await kafka.reader({ topics: [topic(name, { value: text })] })
  for await (const record of reader) values.push(record.value!)
  return values
}
