import { type ConsumerRecord, Kafka, type ConsumerOptions, type Topic, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './support/holding-proxy.ts'
import { TamperingProxy } from './support/tampering-proxy.ts'

const MiB = 1_024 * 1_024
/** Where these fields of a batch lie. */
const layout = { length: 8, magic: 16 }
const marker = Buffer.from('tampered with')

let stack: Stack
let kafka: Kafka
/** By a second listener, whose address is the proxy's. */
let proxied: Kafka
let proxy: TamperingProxy

beforeAll(async () => {
  const [proxyPort, behindPort] = [await freePort(), await freePort()]
  stack = await startStack({
    kafka: {
      properties: ({ port, controllerPort }) => ({
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},PROXIED://127.0.0.1:${behindPort}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxyPort}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
        'message.max.bytes': 32 * MiB,
      }),
    },
  })
  proxy = await TamperingProxy.open(proxyPort, behindPort)
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers] })
  proxied = new Kafka({ brokers: [`127.0.0.1:${proxyPort}`] })
})

afterAll(async () => {
  await kafka?.close()
  await proxied?.close()
  await proxy?.[Symbol.asyncDispose]()
  await stack?.close()
})

async function newTopic(name: string) {
  await kafka.admin().createTopics([{ name, partitions: 1 }])
  return topic(name, { value: text })
}

/** Consumes the topic, whose name is the group's, until so many records are handled, or it fails. */
async function consume(
  from: Kafka,
  what: Topic<string | null, string | null>,
  count: number,
  more: Partial<ConsumerOptions> = {},
) {
  const seen: ConsumerRecord<string | null, string | null>[] = []
  await using consumer = await from.consumer({ group: what.name, topics: [what], reset: 'earliest', ...more })
  const enough = Promise.withResolvers<void>()
  const running = consumer.run((record) => {
    seen.push(record as ConsumerRecord<string | null, string | null>)
    if (seen.length === count) enough.resolve()
  })
  await Promise.race([enough.promise, running])
  return seen.map(({ key, value, offset, headers }) => ({ key, value, offset, headers }))
}

/** Where the batch with the marker begins in an answer; its offset is 0. */
function batchStart(answer: Buffer): number | undefined {
  const found = answer.indexOf(marker)
  for (let start = found - 61; start >= 0; start--) {
    const isBatch = answer[start + layout.magic] === 2 && answer.readBigInt64BE(start) === 0n
    if (isBatch && start + 12 + answer.readInt32BE(start + layout.length) > found) return start
  }
  return undefined
}

test.each<readonly [string, string, (answer: Buffer, start: number) => void]>([
  ['a bad checksum', 'checksum', (answer) => answer.writeUInt8(0, answer.indexOf(marker))],
  ['an unknown magic', 'its format is 9, not 0, 1 or 2', (answer, start) => answer.writeUInt8(9, start + layout.magic)],
  ['a length too small', 'its length is impossible', (answer, start) => answer.writeInt32BE(9, start + layout.length)],
  ['a cut batch that stays cut', 'cut off', (answer, start) => answer.writeInt32BE(64 * MiB, start + layout.length)],
])(
  "%s ends the consumer where `unreadable` is 'stop', with an error that names the place, and nothing is committed",
  async (what, why, damage) => {
    const target = await newTopic(what.replaceAll(' ', '-'))
    await using producer = await kafka.producer()
    await producer.send(target, { value: marker.toString() })
    let damaged = 0
    proxy.tamper = (answer) => {
      const start = batchStart(answer)
      if (start !== undefined) damage(answer, (damaged++, start))
    }
    await expect(consume(proxied, target, 1, { unreadable: 'stop' })).rejects.toMatchObject({
      code: 'batch_unreadable',
      topic: target.name,
      partition: 0,
      offset: 0,
      message: expect.stringContaining(why),
      cause: { code: 'batch_corrupt' },
    })
    expect(damaged).toBeGreaterThan(0)
    proxy.tamper = () => {}
    // The process lives, and what the disk or the network gives back in order is handled.
    expect(await consume(proxied, target, 1)).toMatchObject([{ value: marker.toString(), offset: 0 }])
  },
)

test('a batch that is cut off once is asked for again', async () => {
  const target = await newTopic('cut-once')
  await using producer = await kafka.producer()
  await producer.send(target, { value: marker.toString() })
  let damaged = 0
  proxy.tamper = (answer) => {
    const start = batchStart(answer)
    if (start !== undefined && damaged++ === 0) answer.writeInt32BE(2 * MiB, start + layout.length)
  }
  expect(await consume(proxied, target, 1)).toMatchObject([{ value: marker.toString() }])
  proxy.tamper = () => {}
  expect(damaged).toBeGreaterThan(1)
})

test('a record without key and value is handled as such', async () => {
  const target = await newTopic('nulls')
  await using producer = await kafka.producer()
  await producer.send(target, { key: null, value: null })
  expect(await consume(kafka, target, 1)).toMatchObject([{ key: null, value: null, offset: 0 }])
})

test('a header of 10 MB comes as it was sent', async () => {
  const target = await newTopic('large-header')
  const header = Buffer.alloc(10 * MiB, 7)
  await using producer = await kafka.producer({ maxRequestBytes: 16 * MiB, maxRecordBytes: 16 * MiB })
  await producer.send(target, { value: 'small', headers: { large: header } })
  const [record] = await consume(kafka, target, 1)
  expect(header.equals(record?.headers.getBytes('large') ?? Buffer.alloc(0))).toBe(true)
})

test('a compressed bomb is refused before it takes the memory', async () => {
  const target = await newTopic('bomb')
  const large = { maxRequestBytes: 128 * MiB, maxRecordBytes: 128 * MiB, deliveryTimeoutMs: 60_000 }
  await using producer = await kafka.producer({ ...large, compression: 'gzip' })
  await producer.send(target, { value: 'x'.repeat(100 * MiB) })
  await expect(consume(kafka, target, 1, { unreadable: 'stop' })).rejects.toMatchObject({
    code: 'batch_unreadable',
    topic: 'bomb',
    offset: 0,
    cause: { code: 'batch_too_large' },
  })
  const [record] = await consume(kafka, target, 1, { maxDecodedBytes: 128 * MiB, gate: { maxBytes: 256 * MiB } })
  expect(record?.value).toHaveLength(100 * MiB)
})

test('an offset out of range is recovered from as reset says', async () => {
  const target = await newTopic('range')
  await using producer = await kafka.producer()
  await producer.send(target, { value: 'a' })
  await producer.send(target, { value: 'b' })
  await kafka.admin().alterOffsets(target.name, [{ topic: target.name, partition: 0, offset: 999 }])
  await expect(consume(kafka, target, 1, { reset: 'none' })).rejects.toMatchObject({ code: 'position_missing' })
  expect((await consume(kafka, target, 2)).map(({ value }) => value)).toEqual(['a', 'b'])
})
