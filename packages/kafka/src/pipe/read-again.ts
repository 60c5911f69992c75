import type { Clock } from '@sluice/flow'
import { limitsOfCopies } from '../batch/decode.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { OutputSource } from '../outgoing/output.ts'
import { ConsumerRecord } from '../incoming/consumer-record.ts'
import type { ConsumerSettings } from '../consumer/options.ts'
import type { AssignedPartition } from '../consumer/partition.ts'
import { decodePart } from '../codecs/decode-part.ts'
import { asOriginal } from '../failure/retry-record.ts'
import { type OriginalRecord } from '../incoming/original-record.ts'
import { Reader } from '../reader/reader.ts'
import { rawTopic } from '../record/topic.ts'

/** Reads a record that was handled before. `start`: where its offsets begin. Undefined: the log does not have it now. */
export type ReadAgain = (
  partition: AssignedPartition,
  start: number,
  source: OutputSource,
) => Promise<ConsumerRecord | undefined>

export interface ReadAgainOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly settings: ConsumerSettings
}

/** One batch is enough, and is fetched whole however large it is. */
const maxBytes = 65_536

export function readerOfOne({ cluster, clock, settings }: ReadAgainOptions): ReadAgain {
  return async (partition, start, source) => {
    const { topicName: topic, partition: number, retryOf } = partition
    const isCopy = retryOf !== undefined
    const offset = isCopy ? start : source.offset
    const { isolation } = settings
    const limits = isCopy ? limitsOfCopies(settings.limits) : settings.limits
    const from = { offsets: [{ topic, partition: number, offset }] }
    await using reader = await Reader.open(
      cluster,
      { topics: [rawTopic(topic)], from, isolation, maxBytes, ...limits },
      clock,
    )
    for await (const record of reader) {
      const wire = isCopy ? asOriginal(wireOf(record)) : wireOf(record)
      if (wire.offset === source.offset) return recordOf(partition, wire)
      if (!isCopy) return undefined
    }
    return undefined
  }
}

/** In the place of one that its log has lost meanwhile: all that is known of it. */
export function goneRecord({ topicName, partition, retryOf }: AssignedPartition, { offset }: OutputSource) {
  const wire = { offset, timestampMs: -1, key: null, value: null, headers: undefined } as OriginalRecord
  return new ConsumerRecord(retryOf?.topicName ?? topicName, partition, wire, undefined, undefined)
}

function wireOf(record: ConsumerRecord): OriginalRecord {
  const headers = [...record.headers].map(([name, value]) => [Buffer.from(name), value] as const)
  const { offset, timestampMs, rawKey: key, rawValue: value } = record
  return { offset, timestampMs, key, value, headers: headers.length === 0 ? undefined : headers }
}

function recordOf({ topic, topicName, partition, retryOf }: AssignedPartition, wire: OriginalRecord): ConsumerRecord {
  let [key, value]: unknown[] = []
  try {
    key = decodePart(topic.key, wire.key)
    value = decodePart(topic.value, wire.value)
  } catch {
    // It could be decoded before. A letter is made of the bytes, and listeners see nothing for what they get decoded.
  }
  return new ConsumerRecord(retryOf?.topicName ?? topicName, partition, wire, key, value)
}
