// Reads a topic to its end with an empty handler and the default limits.
import { Kafka, bytes, topic } from '@sluice/kafka'
import { type ClientJob, ReadCount } from '../clients/client.ts'
import { answer, job } from '../in-process.ts'

const reading = job<ClientJob>()
await using kafka = new Kafka({ brokers: [reading.bootstrap], clientId: 'bench' })
await using consumer = await kafka.consumer({
  group: `bench-${crypto.randomUUID()}`,
  topics: [topic(reading.topic, { value: bytes })],
  reset: 'earliest',
})
const count = new ReadCount(reading)
const running = consumer.run(() => count.add())
const measured = await Promise.race([count.done, running.then(() => count.done)])
await consumer.close()
await running
answer(measured)
