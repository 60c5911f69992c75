import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Flow } from '@sluice/flow'
import { Kafka, type Topic, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let stack: Stack
let kafka: Kafka

type Receiver<T> = (kafka: Kafka, handle: (value: T) => unknown) => Promise<void>

/** What an example of the package exports. */
async function example<Exports>(name: string): Promise<Exports> {
  const file = join(import.meta.dirname, '..', '..', 'packages', 'kafka', 'examples', `${name}.ts`)
  return (await import(file)) as Exports
}

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'consumer-stream' })
  await kafka.admin().createTopics([{ name: 'orders', partitions: 2 }, { name: 'charges' }])
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`)
const numerically = (a: string, b: string): number => Number(a) - Number(b)

async function write(target: Topic<string | null, string | null>, values: readonly string[]): Promise<void> {
  await using producer = await kafka.producer({ queue: { maxRecords: 100_000 } })
  await Promise.all(values.map((value) => producer.send(target, { value })))
}

async function lagOf(group: string): Promise<number> {
  return (await kafka.admin().lag(group)).reduce((sum, { lag }) => sum + lag, 0)
}

/** Runs an example with a Kafka of its own until it has committed all; closing that Kafka ends it. */
async function runToEnd(group: string, example: (own: Kafka) => Promise<void>): Promise<void> {
  const own = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: group })
  const running = example(own)
  await closeWhenRead(own, group)
  await running
}

async function closeWhenRead(closable: { close(): Promise<unknown> }, group: string): Promise<void> {
  const deadlineMs = performance.now() + 60_000
  while (!(await isRead(group)) && performance.now() < deadlineMs) await sleep(200)
  await closable.close()
  expect(await lagOf(group)).toBe(0)
}

async function isRead(group: string): Promise<boolean> {
  const lags = await kafka.admin().lag(group)
  return lags.length > 0 && lags.every(({ lag, committed }) => lag === 0 && committed !== null)
}

describe('the examples', () => {
  test('the sender keeps its pause and its order, and the receivers handle what it sent', async () => {
    const { sender } = await example<{ sender: (kafka: Kafka, count: number, log: unknown) => Promise<void> }>('sender')
    const { limitRate } = await example<{ limitRate: Receiver<string | null> }>('limit-rate')
    const { backpressureBuffer } = await example<{ backpressureBuffer: Receiver<string | null> }>('backpressure-buffer')
    const offsets: number[] = []
    await sender(kafka, 200, (offset: number) => void offsets.push(offset))
    expect(offsets).toHaveLength(200)

    const limited: string[] = []
    let running = 0
    let most = 0
    const handle = async (order: string | null): Promise<void> => {
      most = Math.max(most, ++running)
      await sleep(5)
      running--
      limited.push(order!)
    }
    await runToEnd('limit-rate', (own) => limitRate(own, handle))
    const sent = numbered(200).map((number) => `order ${Number(number) + 1}`)
    expect(limited.toSorted()).toEqual(sent.toSorted())
    expect(most).toBe(10)

    const buffered: string[] = []
    await runToEnd('buffer', (own) => backpressureBuffer(own, (order) => buffered.push(order!)))
    expect(buffered.toSorted()).toEqual(sent.toSorted())
  })

  test('a receiver that drops what it cannot hold acks it, and goes on with what is newer', async () => {
    const { backpressureDrop } = await example<{ backpressureDrop: Receiver<string | null> }>('backpressure-drop')
    await write(topic('orders', { value: text }), numbered(5_000))
    const handled: string[] = []
    await runToEnd('drop', (own) =>
      backpressureDrop(own, async (order) => {
        handled.push(order!)
        await sleep(1)
      }),
    )
    expect(handled.length).toBeLessThan(5_200)
    expect(handled.length).toBeGreaterThanOrEqual(1_000)
  })

  test('charges at the rate that was given, and acks each receipt', async () => {
    const { charge } = await example<{ charge: Receiver<number> }>('charge')
    const charges = topic('charges', { value: text })
    await write(
      charges,
      Array.from({ length: 150 }, (_, amount) => JSON.stringify({ amount })),
    )
    const booked: number[] = []
    const startMs = performance.now()
    await runToEnd('charge', (own) =>
      charge(own, async (amount) => {
        await sleep(1)
        booked.push(amount)
      }),
    )
    expect(booked.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 150 }, (_, amount) => amount))
    // 20 at once, the other 130 at 100 a second.
    expect(performance.now() - startMs).toBeGreaterThan(1_300)
  })
})

describe('a stream', () => {
  test('that is left in the middle goes on where its acks ended, each record handled once', async () => {
    const target = topic('left', { value: text })
    await kafka.admin().createTopics([{ name: target.name }])
    await write(target, numbered(1_000))
    const handled: string[] = []
    for (const count of [1, 300, 699]) {
      await using consumer = await kafka.consumer({ group: 'left', topics: [target], reset: 'earliest' })
      let left = count
      for await (const element of consumer.stream()) {
        handled.push(element.record.value!)
        element.ack()
        if (--left === 0) break
      }
    }
    expect(handled).toEqual(numbered(1_000))
    expect(await lagOf('left')).toBe(0)
  })

  test('whose acks come out of order repeats only what was not acked', async () => {
    const target = topic('holes', { value: text })
    await kafka.admin().createTopics([{ name: target.name }])
    await write(target, numbered(500))
    const rounds: string[][] = [[], []]
    for (const [round, handled] of rounds.entries()) {
      await using consumer = await kafka.consumer({ group: 'holes', topics: [target], reset: 'earliest' })
      if (round === 1) void closeWhenRead(consumer, 'holes')
      for await (const element of consumer.stream()) {
        const isHole = round === 0 && Number(element.record.value) % 100 === 50
        if (!isHole) element.ack()
        handled.push(element.record.value!)
        if (handled.length === 500) break
      }
    }
    expect(rounds[1]!.toSorted(numerically)).toEqual(['50', '150', '250', '350', '450'])
  })

  test('of a flow that fails gives back what was not acked', async () => {
    const target = topic('failing', { value: text })
    await kafka.admin().createTopics([{ name: target.name }])
    await write(target, numbered(50))
    const acked: string[] = []
    const read = async (failAt: string | undefined): Promise<void> => {
      await using consumer = await kafka.consumer({ group: 'failing', topics: [target], reset: 'earliest' })
      const stop = new AbortController()
      await Flow.from(consumer.stream())
        .mapAsync(4, async (element) => {
          if (element.record.value === failAt) throw new Error('no charge')
          return element
        })
        .forEach(
          (element) => {
            element.ack()
            acked.push(element.record.value!)
            if (acked.length === 50) stop.abort(new Error('done'))
          },
          { signal: stop.signal },
        )
    }
    await expect(read('20')).rejects.toThrow('no charge')
    await expect(read(undefined)).rejects.toThrow('done')
    expect(acked).toEqual(numbered(50))
  })
})
