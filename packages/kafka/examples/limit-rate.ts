// A receiver that asks for at most 100 records ahead and works on at most 10 at a time; each is acked when it is done.
import { Flow } from '@sluice/flow'
import { Kafka, text, topic } from '@sluice/kafka'

const orders = topic('orders', { value: text })

export async function limitRate(kafka: Kafka, handle: (order: string | null) => Promise<unknown>): Promise<void> {
  await using consumer = await kafka.consumer({ group: 'limit-rate', topics: [orders], reset: 'earliest' })
  await Flow.from(consumer.stream())
    .limitRate(100)
    .mapAsyncUnordered(10, (element) => handle(element.record.value).then(() => element))
    .forEach((element) => element.ack())
}

if (import.meta.main) await limitRate(Kafka.fromEnv(), async (order) => console.log(order))
