import type { DecodedRecord } from '../batch/decoded.ts'
import { type ConsumerRecord, RecordHeaders } from '../incoming/consumer-record.ts'
import { giveBackHeaders, keepHeaders } from './kept-headers.ts'
import type { RetryFacts, OriginalRecord } from '../incoming/original-record.ts'

/** All values are text. */
const retryHeader = {
  attempts: 'retry-count',
  notBeforeMs: 'not-before',
  topic: 'original-topic',
  topicId: 'original-topic-id',
  partition: 'original-partition',
  offset: 'original-offset',
  timestampMs: 'original-timestamp',
} as const satisfies Record<keyof RetryFacts | 'topic', string>

const ownNames: ReadonlySet<string> = new Set(Object.values(retryHeader))

const isRetryHeader = (name: string): boolean => ownNames.has(name)

export type RetriedRecord = Pick<ConsumerRecord, 'topic' | 'partition' | 'offset' | 'timestampMs'> & {
  readonly headers: Iterable<readonly [string, Buffer | null]>
}

/** The headers of a record on its way to the retry topic. */
export function retryHeaders(
  { headers, topic, partition, offset, timestampMs }: RetriedRecord,
  { topicId, attempts, notBeforeMs }: Pick<RetryFacts, 'topicId' | 'attempts' | 'notBeforeMs'>,
): (readonly [string, string | Buffer | null])[] {
  const facts = { topic, topicId, partition, offset, timestampMs, attempts, notBeforeMs }
  const own = Object.entries(retryHeader)
    .map(([field, name]) => [name, String(facts[field as keyof typeof facts])] as const)
    .filter(([, value]) => value !== '')
  return [...keepHeaders<string | Buffer | null>(headers, isRetryHeader), ...own]
}

/** Undefined: somebody else wrote it, and it is what it is. */
export function readRetry(headers: RecordHeaders): RetryFacts | undefined {
  const number = (name: string): number => Number(headers.get(name) ?? NaN)
  const facts = {
    topicId: headers.get(retryHeader.topicId) ?? '',
    partition: number(retryHeader.partition),
    offset: number(retryHeader.offset),
    timestampMs: number(retryHeader.timestampMs),
    attempts: number(retryHeader.attempts),
    notBeforeMs: number(retryHeader.notBeforeMs),
  }
  const { topicId: _, timestampMs, notBeforeMs, attempts, ...place } = facts
  const hasAttempts = Number.isSafeInteger(attempts) && attempts >= 0
  // -1: a letter of another tool that was sent back does not say where it is from.
  const hasPlace = Object.values(place).every((number) => Number.isSafeInteger(number) && number >= -1)
  // A time is what its producer wrote: nanoseconds are no safe integer.
  const hasTimes = Number.isInteger(timestampMs) && Number.isSafeInteger(notBeforeMs)
  return hasAttempts && hasPlace && hasTimes ? facts : undefined
}

/** As it was in the topic that it is from: handlers, dead letters and reports are to see that one. */
export function asOriginal(decoded: DecodedRecord): OriginalRecord {
  if (decoded.headers === undefined) return decoded
  const headers = new RecordHeaders(decoded.headers)
  const retry = readRetry(headers)
  if (retry === undefined) return decoded
  const own = giveBackHeaders(headers, isRetryHeader).map(([name, value]) => [Buffer.from(name), value] as const)
  const { key, value } = decoded
  const { offset, timestampMs } = retry
  return { offset, timestampMs, key, value, headers: own.length === 0 ? undefined : own, retry }
}
