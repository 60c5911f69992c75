import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bytes, Kafka, topic } from '@sluice/kafka'
import { startStack } from '@sluice/stack'
import { expect, test } from 'vitest'
import { canCompileJava, kafkaTool } from './support/java.ts'
import { until } from './support/until.ts'

const compilesJava = await canCompileJava()

interface OldLog {
  readonly name: string
  readonly segment: Buffer
  /** Offset, timestamp, key and value of each record, as Java reads them. */
  readonly records: readonly string[]
}

/** What Java's client writes in the formats of before Kafka 0.11. */
async function oldLogs(): Promise<readonly OldLog[]> {
  const output = await kafkaTool(join(import.meta.dirname, 'programs/OldFormats.java'), [])
  return output
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', hex = '', records = ''] = line.split(' ')
      return { name, segment: Buffer.from(hex, 'hex'), records: records.split(';').filter((one) => one !== '') }
    })
}

/** Puts a segment in the place of the empty one of a topic, while its broker is away. */
function place(folder: string, segment: Buffer): void {
  for (const file of readdirSync(folder)) {
    if (/\.(index|timeindex|snapshot)$|^leader-epoch-checkpoint$/.test(file)) rmSync(join(folder, file))
  }
  writeFileSync(join(folder, '00000000000000000000.log'), segment)
}

test.skipIf(!compilesJava)('a consumer and a reader read what a broker has kept since before Kafka 0.11', async () => {
  await using stack = await startStack({ kafka: true })
  const { dataDir } = stack
  await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers] })
  const logs = await oldLogs()
  await kafka.admin().createTopics(logs.map(({ name }) => ({ name, partitions: 1 })))
  // The folders are there once their leader answers.
  await kafka.admin().offsets(
    logs.map(({ name }) => name),
    'latest',
  )
  await stack.kafka.kill(1)
  const files = readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
  for (const file of files) if (file.endsWith('-offset-checkpoint')) rmSync(join(dataDir, file))
  for (const { name, segment } of logs) {
    place(
      join(
        dataDir,
        files.find((file) => file.endsWith(`/${name}-0`))!,
      ),
      segment,
    )
  }
  await stack.kafka.restart(1)
  // The broker has to find the ends of its logs again.
  const names = logs.map(({ name }) => name)
  await until(async () => (await kafka.admin().offsets(names, 'latest')).every(({ offset }) => offset > 0))

  const wanted = Object.fromEntries(logs.map(({ name, records }) => [name, records]))
  const total = logs.reduce((sum, { records }) => sum + records.length, 0)
  const topics = logs.map(({ name }) => topic(name, { key: bytes, value: bytes }))
  const textOf = (record: { offset: number; timestampMs: number; key: unknown; value: unknown }): string =>
    `${record.offset}|${record.timestampMs}|${String(record.key)}|${String(record.value).replaceAll(' ', '_')}`

  const read: Record<string, string[]> = {}
  for await (const record of await kafka.reader({ topics })) (read[record.topic] ??= []).push(textOf(record))
  expect(read).toEqual(wanted)

  const consumed: Record<string, string[]> = {}
  await using consumer = await kafka.consumer({ group: 'old-formats', topics, reset: 'earliest' })
  let handled = 0
  await consumer.run((record) => {
    ;(consumed[record.topic] ??= []).push(textOf(record))
    if (++handled === total) void consumer.close()
  })
  expect(consumed).toEqual(wanted)
})
