import { setTimeout as sleep } from 'node:timers/promises'
import { type DeliveryError, type Kafka, text, topic } from '@sluice/kafka'

/** A record as its producer knows it; its number is its value. */
export interface FedRecord {
  readonly key: number
  readonly partition: number
  /** -1: not acknowledged. */
  offset: number
  /** When it was acknowledged; Infinity: never. */
  acknowledgedMs: number
  outcome: 'acknowledged' | 'refused' | 'unknown'
}

export interface FeedOptions {
  readonly topic: string
  readonly partitions: number
  readonly keys: number
  readonly recordsPerSecond: number
}

/** Milliseconds of one clock for all processes of this machine. */
export const nowMs = (): number => performance.timeOrigin + performance.now()

/** Writes numbered records, steadily, until it is stopped; returns what became of each. */
export async function feed(kafka: Kafka, options: FeedOptions, signal: AbortSignal): Promise<readonly FedRecord[]> {
  const target = topic(options.topic, { value: text })
  const records: FedRecord[] = []
  const settled: Promise<void>[] = []
  await using producer = await kafka.producer({ queue: { maxRecords: 100_000 }, deliveryTimeoutMs: 60_000 })
  const startMs = performance.now()
  while (!signal.aborted) {
    const due = ((performance.now() - startMs) / 1_000) * options.recordsPerSecond
    while (records.length < due && !signal.aborted) {
      const record = newRecord(records.length, options)
      const outgoing = { key: String(record.key), value: String(records.length), partition: record.partition }
      records.push(record)
      await producer.ready()
      settled.push(settle(record, producer.send(target, outgoing)))
    }
    await sleep(5)
  }
  await Promise.all(settled)
  return records
}

function newRecord(id: number, { keys, partitions }: FeedOptions): FedRecord {
  // Neighbours have other keys, and each partition has several.
  const key = (id * 7) % keys
  return { key, partition: key % partitions, offset: -1, acknowledgedMs: Infinity, outcome: 'unknown' }
}

async function settle(record: FedRecord, sent: Promise<{ readonly offset: number }>): Promise<void> {
  try {
    const { offset } = await sent
    Object.assign(record, { offset, acknowledgedMs: nowMs(), outcome: 'acknowledged' })
  } catch (error) {
    record.outcome = (error as Partial<DeliveryError>).outcome ?? 'refused'
  }
}
