import type { ConsumerRecord, Kafka, Topic } from '@sluice/kafka'

/** Reads `count` records from the start of a topic, in the order in which they came. @throws Error after `timeoutMs`. */
export async function readTopic<K, V>(
  kafka: Kafka,
  source: Topic<K, V>,
  count: number,
  { timeoutMs = 60_000 } = {},
): Promise<ConsumerRecord<K, V>[]> {
  const records: ConsumerRecord<K, V>[] = []
  await using consumer = await kafka.consumer({
    group: `read-${crypto.randomUUID()}`,
    topics: [source],
    reset: 'earliest',
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(
    () => reject(new Error(`${records.length} of ${count} records in ${timeoutMs} ms`)),
    timeoutMs,
  )
  consumer
    .run((record) => {
      records.push(record)
      if (records.length === count) resolve()
    })
    .catch(reject)
  await promise.finally(() => clearTimeout(timer))
  return records
}
