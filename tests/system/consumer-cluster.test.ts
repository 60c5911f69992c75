import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, text, topic } from '@sluice/kafka'
import { type BrokerAddress, type BrokerProperties, type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { quickBrokers } from './support/quick-brokers.ts'
import { until } from './support/until.ts'

const partitions = 6
const backlog = 2_000
const rackOf = (broker: number): string => `rack-${broker}`
let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  const properties = ({ id }: BrokerAddress): BrokerProperties => ({
    ...quickBrokers,
    'broker.rack': rackOf(id),
    'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
  })
  stack = await startStack({ kafka: { brokers: 3, properties } })
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(','), clientId: 'consumer-cluster' })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

const faults = [
  ['killed', (id: number) => stack.kafka.kill(id), (id: number) => stack.kafka.restart(id)],
  ['frozen', (id: number) => stack.kafka.pause(id), (id: number) => stack.kafka.resume(id)],
] as const

test.each(faults)(
  'a leader that is %s holds up its own partitions alone, and those only until others lead them',
  async (name, hurt, heal) => {
    const target = topic(`leaders-${name}`, { value: text })
    await kafka.admin().createTopics([{ name: target.name, partitions, replicationFactor: 3 }])
    await using producer = await kafka.producer({ queue: { maxRecords: partitions * backlog } })
    const places = Array.from({ length: partitions * backlog }, (_, index) => index % partitions)
    await Promise.all(
      places.map((partition, index) =>
        producer.send(target, { value: `${Math.floor(index / partitions)}`, partition }),
      ),
    )

    const seen = Array.from({ length: partitions }, (): number[] => [])
    await using consumer = await kafka.consumer({ group: `leaders-${name}`, topics: [target], reset: 'earliest' })
    const running = consumer.run(async ({ partition, value }) => {
      seen[partition]!.push(Number(value))
      await sleep(3)
    })
    await until(() => seen.every(({ length }) => length > 50))
    const [described] = await kafka.admin().describeTopics([target.name])
    const leaders = described!.partitions.map(({ leader }) => leader)
    const victim = leaders[0]!
    const others = [...leaders.keys()].filter((partition) => leaders[partition] !== victim)

    await hurt(victim)
    try {
      await sleep(500)
      const before = seen.map(({ length }) => length)
      await sleep(1_500)
      // More than what can have been in memory: they were fetched meanwhile.
      expect(others.filter((partition) => seen[partition]!.length < before[partition]! + 100)).toEqual([])
      await until(() => seen.every(({ length }) => length >= backlog))
    } finally {
      await heal(victim)
    }
    await consumer.close()
    await running
    const whole = Array.from({ length: backlog }, (_, index) => index)
    expect(seen.map((values) => values.join(' '))).toEqual(seen.map(() => whole.join(' ')))
  },
)

test.each(faults)('a reader has every record once, in order, while a leader is %s', async (name, hurt, heal) => {
  const target = topic(`read-${name}`, { value: text })
  await kafka.admin().createTopics([{ name: target.name, partitions, replicationFactor: 3 }])
  await using producer = await kafka.producer()
  const records = Array.from({ length: partitions * backlog }, (_, index) => ({
    value: `${Math.floor(index / partitions)}`.padEnd(200),
    partition: index % partitions,
  }))
  for await (const _ of producer.sendAll(target, records));
  const [described] = await kafka.admin().describeTopics([target.name], { configs: false })
  const victim = described!.partitions[0]!.leader

  // A request that a frozen broker never answers holds the little budget that there is: it should end soon.
  const brokers = stack.kafka.bootstrapServers.split(',')
  await using quick = new Kafka({ brokers, clientId: 'reader', requestTimeoutMs: 3_000 })
  // Far less than there is, so that most of it is fetched after the fault.
  await using reader = await quick.reader({ topics: [target], maxBytes: 65_536 })
  const seen = Array.from({ length: partitions }, (): number[] => [])
  let isHurt = false
  for await (const { partition, value } of reader) {
    seen[partition]!.push(Number(value))
    if (isHurt || seen[0]!.length < 200) continue
    isHurt = true
    await hurt(victim)
  }
  await heal(victim)
  const whole = Array.from({ length: backlog }, (_, index) => index).join(' ')
  expect(isHurt).toBe(true)
  expect(seen.map((values) => values.join(' '))).toEqual(seen.map(() => whole))
  expect(reader.inspect()).toMatchObject({ left: 0, fetchedBytes: 0 })
})

test.each(faults)(
  'a follower in the own rack is fetched from until it is %s, and then the leader',
  async (name, hurt, heal) => {
    const target = topic(`nearest-${name}`, { value: text })
    await kafka.admin().createTopics([{ name: target.name, partitions: 1, replicationFactor: 3 }])
    const [described] = await kafka.admin().describeTopics([target.name], { configs: false })
    const { leader, replicas } = described!.partitions[0]!
    const follower = replicas.find((replica) => replica !== leader)!
    await using producer = await kafka.producer()
    let seen = 0
    await using consumer = await kafka.consumer({
      group: `nearest-${name}`,
      topics: [target],
      reset: 'earliest',
      rackId: rackOf(follower),
    })
    void consumer.run(() => void seen++)
    const brokers = (): number[] => (consumer.inspect().fetcher?.brokers ?? []).map(({ broker }) => broker)

    await until(() => brokers()[0] === follower)
    await Promise.all(Array.from({ length: 100 }, () => producer.send(target, { value: 'near' })))
    await until(() => seen === 100)
    expect(brokers()).toEqual([follower])

    await hurt(follower)
    try {
      await Promise.all(Array.from({ length: 100 }, () => producer.send(target, { value: 'far' })))
      await until(() => seen === 200)
      expect(brokers()).toEqual([leader])
    } finally {
      await heal(follower)
    }
  },
)
