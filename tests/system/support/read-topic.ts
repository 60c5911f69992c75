import type { ConsumerRecord, Kafka, Topic } from '@sluice/kafka'

/** Reads `count` records from the start of a topic, in the order in which they came. @throws Error after `timeoutMs`. */
export async function readTopic<K, V>(
  kafka: Kafka,
  source: Topic<K, V>,
  count: number,
  { timeoutMs = 60_000 } = {},
): Promise<ConsumerRecord<K, V>[]> {
  const records: ConsumerRecord<K, V>[] = []
  await using reader = await kafka.reader({ topics: [source], follow: true })
  const timer = setTimeout(() => void reader.close(), timeoutMs)
  try {
    for await (const record of reader) {
      records.push(record)
      if (records.length === count) return records
    }
  } catch (cause) {
    throw new Error(`${records.length} of ${count} records in ${timeoutMs} ms`, { cause })
  } finally {
    clearTimeout(timer)
  }
  return records
}
