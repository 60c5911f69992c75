import { randomBytes } from 'node:crypto'
import { Kafka, ProducerFencedError, RecordTooLargeError } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lines, readAll } from './support/copied-lines.ts'
import { readTopic } from './support/read-topic.ts'

let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'transactions' })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

async function topics(...names: readonly string[]) {
  await kafka.admin().createTopics(names.map((name) => ({ name, partitions: 2 })))
  return names.map(lines)
}

/** All there is, once there are so many: the brokers show a transaction a moment after they have committed it. */
async function valuesOf(name: string, count: number): Promise<(string | null)[]> {
  await readTopic(kafka, lines(name), count)
  return (await readAll(kafka, name)).map(({ value }) => value).toSorted((a, b) => a!.localeCompare(b!))
}

test('all records of a transaction are written, with the offsets, or none', async () => {
  const [left, right] = await topics('left', 'right')
  await using producer = await kafka.transactionalProducer({ transactionalId: 'both' })
  const result = await producer.run((transaction) => {
    for (const value of ['a', 'b', 'c']) transaction.send(left!, { key: value, value })
    transaction.send(right!, { value: 'd' })
    transaction.sendOffsets({ group: 'elsewhere', offsets: [{ topic: 'left', partition: 0, offset: 7 }] })
    return 4
  })
  expect(result).toBe(4)
  expect(await valuesOf('left', 3)).toEqual(['a', 'b', 'c'])
  expect(await valuesOf('right', 1)).toEqual(['d'])
  expect(await kafka.admin().committedOffsets('elsewhere')).toMatchObject([{ partition: 0, offset: 7 }])

  const refused = producer.run((transaction) => {
    transaction.send(left!, { value: 'not this' })
    transaction.send(right!, { value: randomBytes(1_500_000).toString('hex') })
  })
  await expect(refused).rejects.toThrow(RecordTooLargeError)
  const thrown = producer.run(async (transaction) => {
    transaction.send(left!, { value: 'nor this' })
    throw new Error('no')
  })
  await expect(thrown).rejects.toThrow('no')
  await producer.run((transaction) => transaction.send(left!, { value: 'e' }))
  expect(await valuesOf('left', 4)).toEqual(['a', 'b', 'c', 'e'])
  expect(await valuesOf('right', 1)).toEqual(['d'])
})

test('a producer is fenced by another of its id, and writes nothing more', async () => {
  const [target] = await topics('fenced')
  await using first = await kafka.transactionalProducer({ transactionalId: 'one-of-two' })
  await first.run((transaction) => transaction.send(target!, { value: 'first' }))
  await using second = await kafka.transactionalProducer({ transactionalId: 'one-of-two' })
  for (let attempts = 0; attempts < 2; attempts++) {
    await expect(first.run((transaction) => transaction.send(target!, { value: 'late' }))).rejects.toThrow(
      ProducerFencedError,
    )
  }
  await second.run((transaction) => transaction.send(target!, { value: 'second' }))
  expect(await valuesOf('fenced', 2)).toEqual(['first', 'second'])
})
