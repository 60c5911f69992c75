import type { Kafka } from '@sluice/kafka'
import { inProcess } from './in-process.ts'
import type { BoundedConsumerJob, BoundedConsumerResult } from './programs/bounded-consumer.ts'
import { headerBomb, produceRaw, tinyRecords } from './raw-batches.ts'
import { gateRow, promise, type Row } from './report.ts'

const MiB = 2 ** 20
/** What a consumer may gain beyond its gate: 128 MB. */
const maxBeyondGateMiB = 128e6 / MiB
const gate = { maxRecords: 1_000, maxBytes: 8 * MiB }
const PARTITIONS = 6
const BATCHES = 4

const cases = {
  '33,000,000 headers in a record of 6 kB': () => headerBomb(33_000_000),
  '800,000 records in a batch of 0.9 MB': () => tinyRecords(800_000),
} as const
const orders = ['partition', 'key'] as const

/** Small on the wire, huge in memory: a consumer with a small gate in front of topics of such batches. */
export async function measureHostile(kafka: Kafka, bootstrap: string, seconds: number) {
  const rows: Row[] = []
  const promises: Row[] = []
  for (const [what, make] of Object.entries(cases)) {
    const topic = `bench-hostile-${Date.now()}`
    await kafka.admin().createTopics([{ name: topic, partitions: PARTITIONS }])
    const batch = make()
    for (let i = 0; i < PARTITIONS * BATCHES; i++) await produceRaw(bootstrap, topic, i % PARTITIONS, batch)
    for (const order of orders) {
      console.log(`consuming ${what}, order by ${order}, for ${seconds} s`)
      const job: BoundedConsumerJob = { bootstrap, topic, ...gate, order, recordsPerSecond: 1_000, seconds }
      const result = await inProcess<BoundedConsumerResult>('bounded-consumer.ts', job)
      rows.push({ batches: what, order, ...gateRow(result), 'could not be read': result.unreadable })
      const bound = gate.maxBytes / MiB + maxBeyondGateMiB
      promises.push(promise(`${what}, by ${order}: growth of RSS, MiB`, result.memory.growthMiB, '<=', bound))
    }
    await kafka.admin().deleteTopics([topic])
  }
  return { rows, promises }
}
