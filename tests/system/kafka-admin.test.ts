import { Kafka, json, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(','), clientId: 'kafka-admin' })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

describe('a topic', () => {
  test('is created with its settings, described, listed and deleted', async () => {
    const admin = kafka.admin()
    const spec = { name: 'life', partitions: 5, configs: { 'max.message.bytes': '2000000' } }
    expect(await admin.createTopics([spec])).toEqual([{ name: 'life', created: true }])
    const [described] = await admin.describeTopics(['life'])
    expect(described?.partitions.map(({ partition, leader }) => [partition, leader])).toEqual(
      [0, 1, 2, 3, 4].map((partition) => [partition, 1]),
    )
    expect(described?.configs['max.message.bytes']).toBe('2000000')
    expect(await admin.listTopics()).toContain('life')
    await admin.deleteTopics(['life'])
    expect(await admin.listTopics()).not.toContain('life')
    await expect(admin.describeTopics(['life'])).rejects.toMatchObject({ apiError: 'UNKNOWN_TOPIC_OR_PARTITION' })
  })

  test('that is there already is an error, or none where that was said', async () => {
    const admin = kafka.admin()
    await admin.createTopics([{ name: 'twice' }])
    const again = admin.createTopics([{ name: 'twice' }])
    await expect(again).rejects.toMatchObject({
      code: 'broker_refused',
      apiError: 'TOPIC_ALREADY_EXISTS',
      topic: 'twice',
    })
    const both = await admin.createTopics([{ name: 'twice' }, { name: 'once' }], { ifNotExists: true })
    expect(both.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: 'once', created: true },
      { name: 'twice', created: false },
    ])
  })

  test('that is not there cannot be deleted, or can where that was said', async () => {
    const admin = kafka.admin()
    await expect(admin.deleteTopics(['never-was'])).rejects.toMatchObject({ apiError: 'UNKNOWN_TOPIC_OR_PARTITION' })
    await admin.deleteTopics(['never-was'], { ifExists: true })
  })

  test('that was created again has another id', async () => {
    const admin = kafka.admin()
    await admin.createTopics([{ name: 'phoenix' }])
    const [before] = await admin.describeTopics(['phoenix'])
    await admin.deleteTopics(['phoenix'])
    await admin.createTopics([{ name: 'phoenix' }])
    const [after] = await admin.describeTopics(['phoenix'])
    expect(after?.id).not.toBe(before?.id)
  })

  test('with settings that no broker takes is refused in the broker’s words', async () => {
    const spec = { name: 'too-many-copies', replicationFactor: 3 }
    await expect(kafka.admin().createTopics([spec])).rejects.toMatchObject({
      apiError: 'INVALID_REPLICATION_FACTOR',
      retriable: false,
    })
    await expect(kafka.admin().createTopics([{ name: 'two words' }])).rejects.toMatchObject({
      code: 'config_invalid',
      field: 'name',
    })
  })
})

describe('offsets and lag', () => {
  test('are told by partition, where nothing is committed too', async () => {
    const admin = kafka.admin()
    const orders = topic('lagging', { value: json<number>() })
    await admin.createTopics([{ name: orders.name, partitions: 3 }])
    await using producer = await kafka.producer()
    for (let n = 0; n < 10; n++) await producer.send(orders, { value: n, partition: 0, timestampMs: 1_000 + n })
    expect(await admin.offsets([orders.name])).toMatchObject([{ offset: 10 }, { offset: 0 }, { offset: 0 }])
    expect(await admin.offsets([orders.name], 1_004)).toMatchObject([{ offset: 4 }, { offset: -1 }, { offset: -1 }])

    await using consumer = await kafka.consumer({ group: 'laggards', topics: [orders], reset: 'earliest' })
    const handled = Promise.withResolvers<void>()
    const running = consumer.run(({ value }) => (value === 9 ? handled.resolve() : undefined))
    await handled.promise
    await consumer.close()
    await running
    for (let n = 0; n < 5; n++) await producer.send(orders, { value: n, partition: 0 })
    expect(await admin.lag('laggards')).toEqual([
      { topic: 'lagging', partition: 0, committed: 10, start: 0, end: 15, held: 0, lag: 5 },
      { topic: 'lagging', partition: 1, committed: 0, start: 0, end: 0, held: 0, lag: 0 },
      { topic: 'lagging', partition: 2, committed: 0, start: 0, end: 0, held: 0, lag: 0 },
    ])
    expect(await admin.lag('nobody', { topics: ['lagging'] })).toMatchObject([
      { committed: null, lag: 15 },
      { committed: null, lag: 0 },
      { committed: null, lag: 0 },
    ])
  })
})

describe('a group', () => {
  test('is listed and described with who owns what', async () => {
    const admin = kafka.admin()
    const words = topic('words', { value: text })
    await admin.createTopics([{ name: words.name, partitions: 2 }])
    await using consumer = await kafka.consumer({ group: 'readers', topics: [words] })
    const assigned = Promise.withResolvers<void>()
    consumer.on('assigned', () => assigned.resolve())
    const running = consumer.run(() => {})
    await assigned.promise
    expect(await admin.listGroups()).toContainEqual({ group: 'readers', state: 'Stable', type: 'consumer' })
    const [group] = await admin.describeGroups(['readers'])
    expect(group?.members).toHaveLength(1)
    expect(group?.members[0]).toMatchObject({
      clientId: 'kafka-admin',
      assignment: [{ topic: 'words', partitions: [0, 1] }],
    })
    await consumer.close()
    await running
  })

  test('that does not exist is an error with that name', async () => {
    await expect(kafka.admin().describeGroups(['nobody-here'])).rejects.toMatchObject({
      apiError: 'GROUP_ID_NOT_FOUND',
      group: 'nobody-here',
    })
  })
})

describe('a cluster that is not there', () => {
  test('is one clear error', async () => {
    await using nowhere = new Kafka({ brokers: ['127.0.0.1:1'] })
    await expect(nowhere.producer()).rejects.toMatchObject({
      code: 'connection_failed',
      address: '127.0.0.1:1',
      message: 'cannot connect to 127.0.0.1:1: nothing listens there (ECONNREFUSED)',
    })
  })

  test('that accepts connections and says nothing is given up after the connect timeout', async () => {
    const { createServer } = await import('node:net')
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const address = silent.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await using frozen = new Kafka({ brokers: [`127.0.0.1:${port}`], connectTimeoutMs: 300 })
    await expect(frozen.admin().listTopics()).rejects.toThrow(/took the connection but did not answer within 300 ms/)
    silent.close()
  })

  test('nothing more is opened from a Kafka that was closed', async () => {
    const closed = new Kafka({ brokers: stack.kafka.bootstrapServers.split(',') })
    await closed.close()
    await expect(closed.producer()).rejects.toMatchObject({ code: 'closed' })
    expect(() => closed.admin()).toThrow('the Kafka client is closed')
  })
})
