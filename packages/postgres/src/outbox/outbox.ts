import { requireInteger } from '@sluice/flow/internal'
import {
  requireTopic,
  requireTopicName,
  withActiveTrace,
  type HeadersInput,
  type OutgoingRecord,
  type TargetTopic,
} from '@sluice/kafka'
import type { Transaction } from '../sql/transaction.ts'
import { explained, tablesOf, type TableOptions } from '../tables.ts'
import { OutboxTable } from './outbox-table.ts'
import type { OutboxRow } from './row.ts'

/** As a producer's; who gives way in a full queue, and the key by which a repetition is known, are the relay's matter. */
export type OutboxRecord<K, V> = Omit<OutgoingRecord<K, V>, 'priority' | 'idempotencyKey'>

/** What `Outbox.insert` takes beside the records. */
export interface OutboxInsertOptions {
  /**
   * Records of one key reach Kafka in the order in which their transactions committed. For that, transactions that write
   * the same key wait for each other. Default true.
   */
  readonly ordered?: boolean
}

/** Records that leave for Kafka if, and only if, the transaction they are written in commits. A relay sends them. */
export class Outbox {
  readonly #table: OutboxTable
  readonly #name: string

  /** @throws ConfigError */
  constructor(options: TableOptions = {}) {
    const tables = tablesOf(options)
    this.#table = new OutboxTable(tables)
    this.#name = tables.outbox
  }

  /**
   * Writes one record, or several in their order. Their headers carry the active trace of OpenTelemetry, if any. Where one transaction calls it more than once with different keys,
   * calls in the order of the keys cannot deadlock with others.
   * @throws ConfigError for a partition or a time that makes no sense; what a codec throws; TablesMissingError; what
   * PostgreSQL says
   */
  async insert<K, V>(
    tx: Transaction,
    topic: TargetTopic<K, V>,
    records: OutboxRecord<K, V> | readonly OutboxRecord<K, V>[],
    { ordered = true }: OutboxInsertOptions = {},
  ): Promise<void> {
    requireTopicName('topic', requireTopic('topic', topic).name)
    const list = Array.isArray(records) ? (records as readonly OutboxRecord<K, V>[]) : [records as OutboxRecord<K, V>]
    try {
      const traced = await withActiveTrace(list)
      await this.#table.insert(
        tx,
        traced.map((record) => rowOf(topic, record)),
        ordered,
      )
    } catch (error) {
      throw explained(error, this.#name)
    }
  }
}

function rowOf<K, V>(topic: TargetTopic<K, V>, record: OutboxRecord<K, V>): OutboxRow {
  const { key, value, headers = {}, partition, timestampMs } = record
  if (partition !== undefined) requireInteger('partition', partition, { min: 0, max: 2 ** 31 - 1 })
  if (timestampMs !== undefined) requireInteger('timestampMs', timestampMs, { min: 0 })
  return {
    topic: topic.name,
    partition,
    key: key === undefined ? null : topic.key.encode(key),
    value: topic.value.encode(value),
    headers: headers satisfies HeadersInput,
    timestampMs,
  }
}
