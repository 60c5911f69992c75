// A receiver that holds up to 100 records while they wait to be handled. More than that stay in Kafka.
import { Flow } from '@sluice/flow'
import { Kafka, text, topic } from '@sluice/kafka'

const orders = topic('orders', { value: text })

export async function backpressureBuffer(kafka: Kafka, handle: (order: string | null) => unknown): Promise<void> {
  await using consumer = await kafka.consumer({ group: 'buffer', topics: [orders], reset: 'earliest' })
  await Flow.from(consumer.stream())
    .buffer(100)
    .forEach(async (element) => {
      await handle(element.record.value)
      element.ack()
    })
}

if (import.meta.main) await backpressureBuffer(Kafka.fromEnv(), console.log)
