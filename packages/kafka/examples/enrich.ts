// Orders in, priced orders out, exactly once: each order has one result, however often this process is killed.
import { Kafka, json, topic } from '@sluice/kafka'

const orders = topic('orders-to-price', { value: json<{ readonly amount: number; readonly price: number }>() })
const priced = topic('priced-orders', { value: json<{ readonly total: number }>() })

export async function enrich(kafka: Kafka): Promise<void> {
  await using pipe = await kafka.pipe({
    group: 'pricing',
    from: orders,
    to: priced,
    reset: 'earliest',
    handler: ({ key, value: { amount, price } }) => ({ key, value: { total: amount * price } }),
  })
  await pipe.done
}

if (import.meta.main) await enrich(Kafka.fromEnv())
