import { messageOf, nameOf } from '@sluice/flow/internal'
import { DecodeError, deadLetterHeaders, deadLetterTopic, replaysOf, type ConsumerRecord } from '@sluice/kafka'
import type { OutboxRow } from '../outbox/row.ts'

export interface DeadLetterFacts {
  readonly group: string
  readonly attempts: number
  readonly error: unknown
  /** Milliseconds since the epoch. */
  readonly failedAtMs: number
}

/** A record that fails for good, as a row of the outbox: what a consumer's own dead letters are, by another way. */
export function deadLetterRow(
  record: ConsumerRecord,
  { group, attempts, error, failedAtMs }: DeadLetterFacts,
): OutboxRow {
  const { topic, partition, offset, timestampMs } = record
  const headers = deadLetterHeaders(record.headers, {
    topic,
    partition,
    offset,
    timestampMs,
    group,
    attempts,
    stage: error instanceof DecodeError ? 'decode' : 'handler',
    errorClass: nameOf(error),
    errorMessage: messageOf(error),
    failedAtMs,
    outcome: null,
    replays: replaysOf(record.headers),
  })
  return {
    topic: deadLetterTopic(topic),
    partition,
    key: record.rawKey,
    value: record.rawValue,
    headers,
    // A header keeps a time that is none of today's clocks.
    timestampMs: Number.isSafeInteger(timestampMs) && timestampMs >= 0 ? timestampMs : undefined,
  }
}
