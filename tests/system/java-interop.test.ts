import { globSync } from 'node:fs'
import { join } from 'node:path'
import { type Compression, Kafka, bytes, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaTool, readWithJava, writeWithJava } from './support/java.ts'
import { readTopic } from './support/read-topic.ts'

const compressions: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const yearMs = 365 * 86_400_000
// Long enough to fill several blocks of each codec, and alike enough to be worth compressing.
const values = Array.from({ length: 3_000 }, (_, index) => `value ${index} ${'sluice '.repeat(index % 40)}`)

let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'java-interop' })
  const names = compressions.flatMap((compression) => [`ours-${compression}`, `java-${compression}`])
  await kafka
    .admin()
    .createTopics([
      ...[...names, 'details'].map((name) => ({ name, partitions: 1 })),
      ...['keys-ours', 'keys-java'].map((name) => ({ name, partitions: 12 })),
    ])
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

test.each(compressions)("Java's console consumer reads what we write with %s", async (compression) => {
  const target = topic(`ours-${compression}`, { value: text })
  await using producer = await kafka.producer({ compression, queue: { maxRecords: values.length } })
  await Promise.all(values.map((value) => producer.send(target, { value })))
  expect(await readWithJava(stack.kafka.bootstrapServers, target.name, { records: values.length })).toEqual(values)
})

test("the broker's log holds each of our batches in the compression that was asked for", async () => {
  const files = compressions.flatMap((compression) =>
    globSync(join(stack.dataDir, `kafka/**/ours-${compression}-0/*.log`)),
  )
  expect(files).toHaveLength(compressions.length)
  const dump = await kafkaTool('org.apache.kafka.tools.DumpLogSegments', ['--files', files.join(',')])
  for (const part of dump.split('Dumping ').slice(1)) {
    const codecs = new Set([...part.matchAll(/compresscodec: (\w+)/g)].map(([, codec]) => codec))
    expect([...codecs]).toEqual([/ours-(\w+)-0/.exec(part)![1]])
  }
})

test.each(compressions)("we read what Java's console producer writes with %s", async (compression) => {
  const name = `java-${compression}`
  await writeWithJava(stack.kafka.bootstrapServers, name, values, { compression })
  const records = await readTopic(kafka, topic(name, { value: text }), values.length)
  expect(records.map(({ value }) => value)).toEqual(values)
})

test('keys, headers, tombstones and timestamps a year apart in one batch arrive in Java as they were sent', async () => {
  const target = topic('details', { key: text, value: bytes })
  const nowMs = Date.now()
  await using producer = await kafka.producer({ addHeaders: false })
  await Promise.all([
    producer.send(target, {
      key: 'old',
      value: Buffer.from('a'),
      timestampMs: nowMs - yearMs,
      headers: { trace: 't1' },
    }),
    producer.send(target, { key: 'new', value: Buffer.from('b'), timestampMs: nowMs }),
    producer.send(target, { key: 'gone', value: null, timestampMs: nowMs - 2 * yearMs }),
  ])
  const format = ['print.timestamp=true', 'print.key=true', 'print.headers=true', 'print.offset=true']
  expect(await readWithJava(stack.kafka.bootstrapServers, 'details', { records: 3, format })).toEqual([
    `CreateTime:${nowMs - yearMs}\tOffset:0\ttrace:t1\told\ta`,
    `CreateTime:${nowMs}\tOffset:1\tNO_HEADERS\tnew\tb`,
    `CreateTime:${nowMs - 2 * yearMs}\tOffset:2\tNO_HEADERS\tgone\tnull`,
  ])
  const dump = await kafkaTool('org.apache.kafka.tools.DumpLogSegments', [
    '--files',
    globSync(join(stack.dataDir, 'kafka/**/details-0/*.log')).join(','),
  ])
  expect(dump.match(/baseOffset: /g), 'they were one batch').toHaveLength(1)
})

test("10,000 keys go to the partitions where Java's producer puts them", async () => {
  // Of every length from 1 on, so that each tail of the hash is met, and not only ASCII.
  const keys = Array.from(
    { length: 10_000 },
    (_, index) => `${index}${'키é~'.slice(0, index % 4)}${'x'.repeat(index % 23)}`,
  )
  await writeWithJava(
    stack.kafka.bootstrapServers,
    'keys-java',
    keys.map((key) => `${key}\tv`),
    { keySeparator: '\t' },
  )
  const ours = topic('keys-ours', { key: text, value: text })
  await using producer = await kafka.producer({ queue: { maxRecords: keys.length } })
  const deliveries = await Promise.all(keys.map((key) => producer.send(ours, { key, value: 'v' })))
  const byOurs = new Map(keys.map((key, index) => [key, deliveries[index]!.partition]))

  const format = ['print.key=true', 'print.partition=true', 'print.value=false']
  const lines = await readWithJava(stack.kafka.bootstrapServers, 'keys-java', { records: keys.length, format })
  const byJava = new Map(
    lines.map((line) => [line.split('\t')[1]!, Number(line.split('\t')[0]!.slice('Partition:'.length))]),
  )
  expect(byJava.size).toBe(keys.length)
  expect(new Set(byJava.values()).size).toBe(12)
  expect(keys.filter((key) => byJava.get(key) !== byOurs.get(key))).toEqual([])
})
