import { Kafka, type QueueOptions, bytes, topic } from '@sluice/kafka'
import { type Contestant, ReadCount, randomValue, sendWarm } from './client.ts'

const largeLimit = 100_000
const largeBytes = 512 * 1_024 * 1_024

interface SingleSends {
  readonly queue?: QueueOptions
  readonly batchBytes?: number
  /** Unset: as many as the producer takes before it says that it is throttled. */
  readonly window?: number
}

/** Single sends; what is unset is left at its default. */
function single({ window, ...options }: SingleSends): Contestant {
  return async (job) => {
    await using kafka = new Kafka({ brokers: [job.bootstrap], clientId: 'bench' })
    // The others add no headers either.
    const settings = { addHeaders: false, tracing: false, compression: 'none', ...options } as const
    await using producer = await kafka.producer(settings)
    const target = topic(job.topic, { value: bytes })
    const record = { value: randomValue(job.valueBytes) }
    const ready = (): Promise<void> | undefined => (producer.throttled ? producer.ready() : undefined)
    const feed = window === undefined ? { window: Infinity, size: 1, ready } : { window, size: 1 }
    return await sendWarm(job, feed, () => producer.send(target, record))
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

const keptFull = { queue: { maxRecords: largeLimit, maxBytes: largeBytes }, window: largeLimit }

export const produce = {
  'single sends, default limits': single({ window: 1_000 }),
  'single sends, limits of 100,000': single({ queue: { maxRecords: largeLimit } }),
  'single sends, limits of 100,000, kept full': single(keptFull),
  'single sends, limits of 100,000, kept full, batches of 256 KiB': single({ ...keptFull, batchBytes: 262_144 }),
}
export const consume = {
  'default limits': handler('partition'),
  'limits of 100,000': handler('partition', largeLimit),
  'order by key, default limits': handler('key'),
  'order by key, default limits, pressure off': handler('key', undefined, false),
  'order by key, limits of 100,000': handler('key', largeLimit),
}
