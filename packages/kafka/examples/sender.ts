// A sender that holds back in two ways: a pause before each record, and at most 100 records in flight.
import { Flow } from '@sluice/flow'
import { Kafka, text, topic } from '@sluice/kafka'

const orders = topic('orders', { value: text })

export async function sender(kafka: Kafka, count = 1_000, log = console.log): Promise<void> {
  await using producer = await kafka.producer()
  const records = Flow.range(1, count)
    .delayElements(10)
    .map((order) => ({ value: `order ${order}` }))
  for await (const { offset } of producer.sendAll(orders, records, { maxInFlight: 100 })) log(offset)
}

if (import.meta.main) await sender(Kafka.fromEnv())
