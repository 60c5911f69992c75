import { Kafka, text, topic, type Producer } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quickBrokers } from './support/quick-brokers.ts'
import { until } from './support/until.ts'

const orders = topic('orders', { value: text })
const group = 'billing'
const partitions = 6

let stack: Stack
let kafka: Kafka
let producer: Producer
let former: kafkajs.Kafka

/** How often each value was handled, and by whom. */
const handled = new Map<string, string[]>()
let sent = 0

beforeAll(async () => {
  stack = await startStack({ kafka: { properties: quickBrokers } })
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers })
  await kafka.admin().createTopics([{ name: orders.name, partitions }])
  // kafkajs reads no lz4 by itself.
  producer = await kafka.producer({ compression: 'gzip' })
  former = new kafkajs.Kafka({ brokers: stack.kafka.bootstrapServers.split(','), logLevel: kafkajs.logLevel.NOTHING })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

/** A member of the old kind. */
async function joinFormer(name: string): Promise<kafkajs.Consumer> {
  const consumer = former.consumer({ groupId: group, sessionTimeout: 10_000, heartbeatInterval: 500 })
  await consumer.connect()
  await consumer.subscribe({ topics: [orders.name], fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => note(name, String(message.value)) })
  return consumer
}

function note(name: string, value: string): void {
  handled.set(value, [...(handled.get(value) ?? []), name])
}

/** Records for all partitions, each of which has to be handled. */
async function sendAndSettle(by: readonly string[]): Promise<void> {
  const values = Array.from({ length: 300 }, () => String(sent++))
  await Promise.all(values.map((value, index) => producer.send(orders, { value, partition: index % partitions })))
  await until(() => values.every((value) => handled.has(value)), { timeoutMs: 60_000 })
  expect(new Set(values.flatMap((value) => handled.get(value)!))).toEqual(new Set(by))
}

/** Partitions of each member, the most first. */
async function shares(): Promise<readonly number[]> {
  // A group that is just changing its protocol is found under neither.
  const { groups } = await kafka.admin().surveyGroups([group])
  return (groups[0]?.description?.members ?? [])
    .map(({ assignment }) => assignment.flatMap((owned) => owned.partitions).length)
    .toSorted((a, b) => b - a)
}

const shared = async (...expected: readonly number[]): Promise<void> => {
  await until(async () => (await shares()).join() === expected.join(), { timeoutMs: 60_000 })
}

describe('a group of kafkajs that is changed member by member', () => {
  it('goes on without a gap, and can go back', async () => {
    const first = await joinFormer('kafkajs 1')
    const second = await joinFormer('kafkajs 2')
    await shared(3, 3)
    await sendAndSettle(['kafkajs 1', 'kafkajs 2'])

    const consumer = await kafka.consumer({ group, topics: [orders], reset: 'earliest' })
    const running = consumer.run(({ value }) => note('sluice', value!))
    await shared(2, 2, 2)
    await sendAndSettle(['kafkajs 1', 'kafkajs 2', 'sluice'])

    await first.disconnect()
    await shared(3, 3)
    await second.disconnect()
    await shared(6)
    await sendAndSettle(['sluice'])

    const again = await joinFormer('kafkajs 3')
    await shared(3, 3)
    await consumer.close()
    await running
    await shared(6)
    await sendAndSettle(['kafkajs 3'])
    await again.disconnect()
    expect(handled.size).toBe(sent)
  })
})
