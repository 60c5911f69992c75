import type { DecodedRecord } from '../batch/decode.ts'
import { type ConsumerRecord, RecordHeaders } from '../consumer/consumer-record.ts'

/** What the headers of a record in a retry topic say: where it is from, and when it is to be handled again. */
export interface RetryFacts {
  /** Of the topic it is from: one that was deleted and created again is another. Empty: not known, it was replayed. */
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  /** Of the record itself: milliseconds since the epoch. */
  readonly timestampMs: number
  /** How often it was tried. 0: never, it waits behind an earlier record of its key. */
  readonly attempts: number
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number
}

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

/** Whether a header says that its record has waited in a retry topic: of no use once it waits there no more. */
export function isRetryHeader(name: string): boolean {
  return ownNames.has(name)
}

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
  return [...[...headers].filter(([name]) => !ownNames.has(name)), ...own]
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
  const { topicId: _, ...numbers } = facts
  return Object.values(numbers).every(Number.isSafeInteger) ? facts : undefined
}

/** As it was in the topic that it is from: handlers, dead letters and reports are to see that one. */
export function asOriginal(decoded: DecodedRecord): DecodedRecord {
  const facts = decoded.headers && readRetry(new RecordHeaders(decoded.headers))
  return facts === undefined ? decoded : { ...decoded, offset: facts.offset, timestampMs: facts.timestampMs }
}
