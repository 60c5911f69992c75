// Fills a topic with batches of the same size in every partition.
import { Kafka, bytes, topic } from '@sluice/kafka'
import { randomValue } from '../clients/client.ts'
import { answer, job } from '../in-process.ts'

export interface PartitionFillJob {
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  readonly records: number
  readonly batchRecords: number
  readonly valueBytes: number
}

const { bootstrap, topic: name, partitions, records, batchRecords, valueBytes } = job<PartitionFillJob>()
const target = topic(name, { value: bytes })
const value = randomValue(valueBytes)

await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench' })
await using producer = await kafka.producer({
  queue: { maxRecords: 100_000, maxBytes: 256 * 2 ** 20 },
  // A batch is sent when its records are in, and not before.
  lingerMs: 200,
  batchBytes: 2 ** 20,
  addHeaders: false,
  compression: 'none',
})
// Records of one partition that wait together become one batch: it is sent before the next one of its partition begins.
const flushRecords = Math.min(20_000, partitions * batchRecords)
let sent = 0
for (let partition = 0; sent < records; partition = (partition + 1) % partitions) {
  for (let each = 0; each < batchRecords && sent < records; each++, sent++) {
    producer.send(target, { value, partition }).catch((error: unknown) => {
      throw error
    })
  }
  if (sent % flushRecords === 0) await producer.flush()
}
await producer.flush()
answer({ sent })
