// Charges at most 8 orders at a time and 100 a second, with a burst of 20; an order counts as handled when it is charged.
import { Flow } from '@sluice/flow'
import { Kafka, json, topic } from '@sluice/kafka'

const orders = topic('charges', { value: json<{ readonly amount: number }>() })

export async function charge(kafka: Kafka, book: (amount: number) => Promise<unknown>): Promise<void> {
  await using consumer = await kafka.consumer({ group: 'charge', topics: [orders], reset: 'earliest' })
  await Flow.from(consumer.stream())
    .limitRate(100)
    .mapAsync(8, async (element) => element.carry(await book(element.record.value.amount)))
    .throttle({ elements: 100, perMs: 1_000, burst: 20 })
    .forEach((receipt) => receipt.ack())
}

if (import.meta.main) await charge(Kafka.fromEnv(), async (amount) => console.log('charged', amount))
