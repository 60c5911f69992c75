import { ConfigError } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import type { Output } from '../consumer/commit-route.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import { AddedHeaders } from '../producer/added-headers.ts'
import { encodeRecord } from '../producer/encode-record.ts'
import { PendingRecord } from '../producer/pending-record.ts'
import type { OutgoingRecord, Topic } from '../record.ts'

/** The brokers' own limit where a topic has none, or may not be asked for it. */
const standardMaxBytes = 1_048_588
const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
/** A view into a buffer that is larger than this is copied: it would keep all of it in memory. */
const ownedBytes = 16_384

/** What is known of the topics that a transaction writes to, and the records that fit them. */
export class OutputTopics {
  readonly #cluster: Cluster
  readonly #maxBytes = new Map<string, number>()
  readonly #added = new AddedHeaders({ traceId: false, timestamp: false, idempotencyKey: false })

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  isKnown(name: string): boolean {
    return this.#maxBytes.has(name) && this.#cluster.topic(name)?.errorCode === 0
  }

  /** The largest batch that the topic takes. */
  maxBytes(name: string): number {
    return this.#maxBytes.get(name) ?? standardMaxBytes
  }

  /** Asks the cluster about a topic. @throws BrokerError where it does not exist; ConnectionError and the like */
  async look(name: string): Promise<void> {
    await this.#cluster.refresh([name])
    const known = this.#cluster.topic(name)
    if (known?.errorCode !== 0) throw brokerError(known?.errorCode ?? unknownTopic, null, { topic: name })
    const [described] = await this.#cluster.driver.admin.describeTopicConfigs([name])
    // Whoever may write need not be allowed to ask for settings.
    const maxBytes = described?.errorCode === 0 ? Number(described.configs['max.message.bytes']) : NaN
    this.#maxBytes.set(name, maxBytes > 0 ? maxBytes : standardMaxBytes)
  }

  /**
   * The record as it is written to a topic that is known.
   * @throws EncodeError; RecordTooLargeError; ConfigError for a partition that is not there
   */
  encode<K, V>(topic: Topic<K, V>, record: OutgoingRecord<K, V>, nowMs: number): Output {
    const { name } = topic
    const context = { maxRecordBytes: this.maxBytes(name), nowMs, added: this.#added, span: undefined }
    const encoded = encodeRecord(topic, record, context)
    const count = this.#cluster.topic(name)?.partitions.length ?? 0
    if (encoded.partition >= count) {
      throw new ConfigError('partition', encoded.partition, `a partition of ${name}: 0 to ${count - 1}`)
    }
    return { topic: name, record: withOwnBytes(encoded) }
  }
}

/** What a handler passes on is a view into the batch that it came in, which is released before this is written. */
function withOwnBytes(record: PendingRecord): PendingRecord {
  const { key, value, headers, timestampMs, partition, priority } = record
  const isForeign = isView(key) || isView(value) || headers?.some(([, content]) => isView(content)) === true
  if (!isForeign) return record
  const ownHeaders = headers?.map(([name, content]) => [name, owned(content)] as const)
  return new PendingRecord(owned(key), owned(value), ownHeaders, timestampMs, partition, priority)
}

function isView(bytes: Buffer | null): boolean {
  return bytes !== null && bytes.buffer.byteLength > Math.max(ownedBytes, 2 * bytes.length)
}

const owned = (bytes: Buffer | null): Buffer | null => (isView(bytes) ? Buffer.from(bytes!) : bytes)
