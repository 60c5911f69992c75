import type { ConsumerRecord } from '@sluice/kafka'
import type { Mark } from './store.ts'

const KEY_HEADER = 'idempotency-key'
/** PostgreSQL's index takes no more than about 2,700 bytes. */
const MAX_KEY_LENGTH = 1_024

/**
 * By the header `idempotency-key`; without one, by topic id, partition and offset: a topic that was created again has
 * another id, and groups do not see each other's marks.
 */
export function markOf(record: ConsumerRecord, topicId: string, group: string): Mark {
  const { topic, partition, offset, headers } = record
  const given = headers.get(KEY_HEADER)
  const isOwn = given !== undefined && given !== '' && given.length <= MAX_KEY_LENGTH && !given.includes('\0')
  const place = { group, topic, partition, offset }
  // A key stands for itself, wherever its record lies.
  if (isOwn) return { ...place, key: `key:${given}`, leaderEpoch: -1 }
  return { ...place, key: `at:${topicId}/${partition}/${offset}`, leaderEpoch: record.leaderEpoch }
}
