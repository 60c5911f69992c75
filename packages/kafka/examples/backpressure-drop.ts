// A receiver that would rather lose records than be late: it holds up to 1,000, and acks the oldest unhandled beyond.
import { Flow } from '@sluice/flow'
import { Kafka, text, topic } from '@sluice/kafka'

const orders = topic('orders', { value: text })

export async function backpressureDrop(kafka: Kafka, handle: (order: string | null) => unknown): Promise<void> {
  await using consumer = await kafka.consumer({ group: 'drop', topics: [orders], reset: 'earliest' })
  await Flow.from(consumer.stream())
    .onBackpressureBuffer(1_000, 'ack', 'drop-oldest')
    .forEach(async (element) => {
      await handle(element.record.value)
      element.ack()
    })
}

if (import.meta.main) await backpressureDrop(Kafka.fromEnv(), console.log)
