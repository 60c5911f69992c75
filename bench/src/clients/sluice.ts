import { Kafka, bytes, topic } from '@sluice/kafka'
import { type Contestant, ReadCount, randomValue, sendWarm } from './client.ts'

const largeLimit = 100_000
const largeBytes = 512 * 1_024 * 1_024

/** Single sends; what is unset is left at its default. */
function single(maxRecords?: number, batchBytes?: number): Contestant {
  return async (job) => {
    await using kafka = new Kafka({ brokers: [job.bootstrap], clientId: 'bench' })
    await using producer = await kafka.producer({
      // The others add none either.
      addHeaders: false,
      tracing: false,
      compression: 'none',
      ...(maxRecords !== undefined && { queue: { maxRecords, maxBytes: largeBytes } }),
      ...(batchBytes !== undefined && { batchBytes }),
    })
    const target = topic(job.topic, { value: bytes })
    const record = { value: randomValue(job.valueBytes) }
    return await sendWarm(job, { window: maxRecords ?? 1_000, size: 1 }, () => producer.send(target, record))
  }
}

/** An empty handler called for each record. */
function handler(order: 'partition' | 'key', maxRecords?: number, pressure = true): Contestant {
  return async (job) => {
    await using kafka = new Kafka({ brokers: [job.bootstrap], clientId: 'bench' })
    await using consumer = await kafka.consumer({
      group: `bench-${crypto.randomUUID()}`,
      topics: [topic(job.topic, { value: bytes })],
      reset: 'earliest',
      order,
      pressure,
      ...(maxRecords !== undefined && { gate: { maxRecords, maxBytes: largeBytes } }),
    })
    const count = new ReadCount(job)
    const running = consumer.run(() => count.add())
    const measured = await Promise.race([count.done, running.then(() => count.done)])
    await consumer.close()
    await running
    return measured
  }
}

export const produce = {
  'single sends, default limits': single(),
  'single sends, limits of 100,000': single(largeLimit),
  'single sends, limits of 100,000, batches of 256 KiB': single(largeLimit, 262_144),
}
export const consume = {
  'default limits': handler('partition'),
  'limits of 100,000': handler('partition', largeLimit),
  'order by key, default limits': handler('key'),
  'order by key, default limits, pressure off': handler('key', undefined, false),
  'order by key, limits of 100,000': handler('key', largeLimit),
}
