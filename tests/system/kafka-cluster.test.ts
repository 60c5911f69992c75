import { Kafka, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaTool } from './support/java.ts'
import { quickBrokers } from './support/quick-brokers.ts'

const partitions = 6
const words = topic('words', { value: text })

let stack: Stack
let addresses: string[]

beforeAll(async () => {
  stack = await startStack({ kafka: { brokers: 3, properties: quickBrokers } })
  addresses = stack.kafka.bootstrapServers.split(',')
  await using kafka = new Kafka({ brokers: addresses })
  const spec = { name: words.name, partitions, replicationFactor: 3, configs: { 'min.insync.replicas': '1' } }
  await kafka.admin().createTopics([spec])
  await using producer = await kafka.producer()
  for (let partition = 0; partition < partitions; partition++) await producer.send(words, { value: 'a', partition })
})

afterAll(async () => {
  await stack?.close()
})

async function leadersOf(kafka: Kafka): Promise<readonly number[]> {
  const [described] = await kafka.admin().describeTopics([words.name])
  return described!.partitions.map(({ leader }) => leader)
}

/** Ends asked of the leaders: every partition is reached, or the call fails. */
async function endsOf(kafka: Kafka): Promise<readonly number[]> {
  const offsets = await kafka.admin().offsets([words.name], 'latest', { timeoutMs: 60_000 })
  return offsets.map(({ offset }) => offset)
}

test('one living address among dead ones is enough to begin with', async () => {
  await using kafka = new Kafka({ brokers: ['127.0.0.1:1', 'nosuchhost.invalid:9092', addresses[0]!] })
  expect(await endsOf(kafka)).toEqual(Array.from({ length: partitions }, () => 1))
  expect(kafka.inspect().cluster.brokers).toBe(3)
})

test('a topic that was created is known to every broker, and one that was deleted to none', async () => {
  await using kafka = new Kafka({ brokers: addresses })
  const admin = kafka.admin()
  const names = Array.from({ length: 10 }, (_, n) => `news-${n}`)
  for (const name of names) {
    await admin.createTopics([{ name, partitions: 3, replicationFactor: 3 }])
    // Each asks a broker at random.
    for (let n = 0; n < 3; n++) expect(await admin.describeTopics([name])).toHaveLength(1)
    await admin.deleteTopics([name])
    for (let n = 0; n < 3; n++) expect(await admin.listTopics()).not.toContain(name)
  }
})

test('the leaders that a killed broker had are found at their new places', async () => {
  await using kafka = new Kafka({ brokers: addresses })
  const before = await leadersOf(kafka)
  expect(new Set(before).size).toBeGreaterThan(1)
  const victim = before[0]!
  await stack.kafka.kill(victim)
  try {
    expect(await endsOf(kafka)).toHaveLength(partitions)
    expect(await leadersOf(kafka)).not.toContain(victim)
  } finally {
    await stack.kafka.restart(victim)
  }
})

test('leaders move between living brokers under a producer and a consumer: nothing lost, doubled or out of order', async () => {
  const target = topic('moving', { value: text })
  await using kafka = new Kafka({ brokers: addresses })
  const admin = kafka.admin()
  await admin.createTopics([{ name: target.name, partitions, replicationFactor: 3 }])
  const [before] = await admin.describeTopics([target.name])
  const victim = before!.partitions[0]!.leader
  await stack.kafka.stop(victim)
  await stack.kafka.restart(victim)

  await using producer = await kafka.producer()
  const rounds = 300
  const seen: string[][] = Array.from({ length: partitions }, () => [])
  await using consumer = await kafka.consumer({ group: 'movers', topics: [target], reset: 'earliest' })
  const all = Promise.withResolvers<void>()
  let count = 0
  const running = consumer.run(({ partition, value }) => {
    seen[partition]!.push(value!)
    if (++count === rounds * partitions) all.resolve()
  })
  const what = ['--election-type', 'preferred', '--all-topic-partitions']
  const electionTool = 'org.apache.kafka.tools.LeaderElectionCommand'
  const elect = kafkaTool(electionTool, ['--bootstrap-server', addresses.join(','), ...what])
  let isElected = false
  void elect.finally(() => (isElected = true))
  for (let n = 0; n < rounds; n++) {
    const round = Array.from({ length: partitions }, (_, partition) =>
      producer.send(target, { value: `${n}`, partition }),
    )
    await Promise.all(round)
    // The last of them are written when the leaders have moved.
    if (n === rounds - 50 && !isElected) await elect
  }
  await elect
  await Promise.race([all.promise, running])
  await consumer.close()
  await running
  const written = Array.from({ length: rounds }, (_, n) => `${n}`)
  for (const values of seen) expect(values).toEqual(written)
  const [after] = await admin.describeTopics([target.name])
  expect(after!.partitions[0]).toMatchObject({ leader: victim })
  expect(after!.partitions[0]!.leaderEpoch).toBeGreaterThan(before!.partitions[0]!.leaderEpoch)
})

test('a frozen broker keeps nobody from what the others know', async () => {
  const frozen = 3
  stack.kafka.pause(frozen)
  try {
    const port = stack.kafka.brokers.find(({ id }) => id === frozen)!.port
    // The frozen one first: its kernel still takes connections.
    const others = addresses.filter((address) => !address.endsWith(`:${port}`))
    // Whoever waited for the silent one would wait longer than the test may last.
    const timeouts = { connectTimeoutMs: 600_000, requestTimeoutMs: 600_000 }
    await using kafka = new Kafka({ brokers: [`127.0.0.1:${port}`, ...others], ...timeouts })
    for (let round = 0; round < 5; round++) expect(await kafka.admin().listTopics()).toContain(words.name)
  } finally {
    stack.kafka.resume(frozen)
  }
})

test('a cluster that was down as a whole is found again by those that knew it', async () => {
  await using kafka = new Kafka({ brokers: addresses, connectTimeoutMs: 1_000 })
  await using producer = await kafka.producer()
  const { offset } = await producer.send(words, { value: 'before', partition: 0 })
  for (const { id } of stack.kafka.brokers) await stack.kafka.kill(id)
  await expect(kafka.admin().listTopics()).rejects.toMatchObject({ code: 'connection_failed', retriable: true })
  const written = producer.send(words, { value: 'after', partition: 0 })
  await Promise.all(stack.kafka.brokers.map(({ id }) => stack.kafka.restart(id)))
  expect((await written).offset).toBe(offset + 1)
  expect(await endsOf(kafka)).toHaveLength(partitions)
})
