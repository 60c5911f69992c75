import type { RecordHeaders } from '../incoming/consumer-record.ts'
import { giveBackHeaders, keepHeaders } from './kept-headers.ts'

/** A part of a record that its dead letter does not have, since the topic of dead letters refused it with that. */
export type LetterPart = 'error-message' | 'value' | 'headers' | 'key'

/** What is known of why a record became a dead letter. */
export interface DeadLetter {
  /** Who wrote it. */
  readonly source: 'sluice' | 'spring' | 'connect'
  readonly topic: string
  /** -1: none, it was never written. */
  readonly partition: number
  readonly offset: number
  /** Of the record itself: milliseconds since the epoch, -1 unknown. */
  readonly timestampMs: number
  /** The group whose handler failed; null where there is none. */
  readonly group: string | null
  /** 0: unknown. */
  readonly attempts: number
  /** Ours: `handler`, `decode`, or `delivery` for one that could not be written. */
  readonly stage: string
  /** The name of the error, such as `CardRefused`. */
  readonly errorClass: string
  /** The message of the error. */
  readonly errorMessage: string
  /** When it failed: milliseconds since the epoch, -1 unknown. */
  readonly failedAtMs: number
  /** `unknown`: the record may be in its topic all the same, so sending it again may double it. */
  readonly outcome: 'refused' | 'unknown' | null
  /** How often it had been replayed before it failed this time. */
  readonly replays: number
  /** What the letter was written without, because its topic refused it whole; absent where it is whole. */
  readonly omitted?: readonly LetterPart[] | undefined
  /** Where the value was left out: how many bytes it has at the record's own place. */
  readonly valueBytes?: number | undefined
  /** The record had no key, and the letter has one because its topic is compacted. */
  readonly isKeyMade?: boolean | undefined
}

/** Names of our own headers: the first three are the document's, all values are text. */
export const deadLetterHeader = {
  topic: 'original-topic',
  errorMessage: 'error-message',
  failedAtMs: 'error-timestamp',
  partition: 'original-partition',
  offset: 'original-offset',
  timestampMs: 'original-timestamp',
  group: 'original-group',
  attempts: 'attempts',
  stage: 'error-stage',
  errorClass: 'error-class',
  outcome: 'delivery-outcome',
  replays: 'replay-count',
} as const satisfies Partial<Record<keyof DeadLetter, string>>

/** How letters are written: 2 keeps headers of the record that have our names. Without it: 1, which dropped them. */
const versionHeader = 'sluice-letter'
const version = '2'

/** What a letter says of itself where it could not be written whole. */
export const reducedHeader = {
  omitted: 'sluice-omitted',
  valueBytes: 'sluice-value-bytes',
  keyMade: 'sluice-key-made',
} as const

/** What a replay adds to a record, in the user's own topic: names that Sluice reserves. */
export const replayHeader = { replays: 'sluice-replay-count', timestampMs: 'sluice-original-timestamp' } as const

/** What is not written, since it says nothing. */
const unknowns: Readonly<Record<string, number | null>> = {
  [deadLetterHeader.partition]: -1,
  [deadLetterHeader.offset]: -1,
  [deadLetterHeader.timestampMs]: -1,
  [deadLetterHeader.failedAtMs]: -1,
  [deadLetterHeader.group]: null,
  [deadLetterHeader.outcome]: null,
  [deadLetterHeader.attempts]: 0,
  [deadLetterHeader.replays]: 0,
}

const ownNames: ReadonlySet<string> = new Set([
  ...Object.values(deadLetterHeader),
  ...Object.values(reducedHeader),
  versionHeader,
])
const replayNames: ReadonlySet<string> = new Set(Object.values(replayHeader))

/** Whether Sluice gives a header of this name to dead letters. A record's own header is renamed there. */
export const isLetterHeader = (name: string): boolean => ownNames.has(name)

/** More of a message says nothing, and would make a record that cannot be written. */
const maxMessageLength = 4_096

/** The headers of a dead letter: those of the record, and what is known of its failure. */
export function deadLetterHeaders(
  original: Iterable<readonly [name: string, value: Uint8Array | null]>,
  letter: Omit<DeadLetter, 'source'>,
): (readonly [name: string, value: Uint8Array | string | null])[] {
  const kept = keepHeaders(
    [...original].filter(([name]) => !replayNames.has(name)),
    isLetterHeader,
  )
  const own = Object.entries(deadLetterHeader).flatMap(([field, name]): [string, string][] => {
    const value = letter[field as keyof typeof deadLetterHeader]
    return value === unknowns[name] ? [] : [[name, String(value).slice(0, maxMessageLength)]]
  })
  return [...kept, ...own, [versionHeader, version]]
}

/** The headers that the record had before it became a dead letter, with their own names. */
export function originalHeaders(
  headers: RecordHeaders,
  { source }: Pick<DeadLetter, 'source'>,
): (readonly [name: string, value: Buffer | null])[] {
  if (source === 'spring') return [...headers].filter(([name]) => !name.startsWith('kafka_dlt-'))
  if (source === 'connect') return [...headers].filter(([name]) => !name.startsWith('__connect.errors.'))
  if (headers.get(versionHeader) === undefined) return [...headers].filter(([name]) => !ownNames.has(name))
  return giveBackHeaders(headers, isLetterHeader)
}

/** How often a record was replayed before, as a replay wrote it beside the record's own headers. */
export function replaysOf(headers: RecordHeaders): number {
  return wholeNumber(headers.get(replayHeader.replays), 0)
}

/** What the headers of a dead letter say, whoever wrote it; undefined where they say nothing. */
export function readDeadLetter(headers: RecordHeaders): DeadLetter | undefined {
  if (headers.get(versionHeader) !== undefined) return readOwn(headers)
  if (headers.getBytes(deadLetterHeader.topic)) return readOwn(headers)
  if (headers.getBytes('kafka_dlt-original-topic')) return readSpring(headers)
  if (headers.getBytes('__connect.errors.topic')) return readConnect(headers)
  return undefined
}

function readOwn(headers: RecordHeaders): DeadLetter {
  const text = (name: string): string => headers.get(name) ?? ''
  const outcome = headers.get(deadLetterHeader.outcome)
  const omitted = headers.get(reducedHeader.omitted)
  const valueBytes = headers.get(reducedHeader.valueBytes)
  return {
    source: 'sluice',
    topic: text(deadLetterHeader.topic),
    partition: wholeNumber(headers.get(deadLetterHeader.partition), -1),
    offset: wholeNumber(headers.get(deadLetterHeader.offset), -1),
    timestampMs: time(headers.get(deadLetterHeader.timestampMs)),
    group: headers.get(deadLetterHeader.group) ?? null,
    attempts: wholeNumber(headers.get(deadLetterHeader.attempts), 0),
    stage: text(deadLetterHeader.stage),
    errorClass: text(deadLetterHeader.errorClass),
    errorMessage: text(deadLetterHeader.errorMessage),
    failedAtMs: wholeNumber(headers.get(deadLetterHeader.failedAtMs), -1),
    outcome: outcome === 'refused' || outcome === 'unknown' ? outcome : null,
    replays: wholeNumber(headers.get(deadLetterHeader.replays), 0),
    ...(omitted && { omitted: omitted.split(' ') as LetterPart[] }),
    ...(valueBytes !== undefined && { valueBytes: wholeNumber(valueBytes, 0) }),
    ...(headers.get(reducedHeader.keyMade) !== undefined && { isKeyMade: true }),
  }
}

/** Numbers are big-endian there (DeadLetterPublishingRecoverer of Spring for Apache Kafka). */
function readSpring(headers: RecordHeaders): DeadLetter {
  const text = (name: string): string => headers.get(`kafka_dlt-${name}`) ?? ''
  const number = (name: string): number => bigEndian(headers.getBytes(`kafka_dlt-${name}`))
  return {
    ...foreign,
    source: 'spring',
    topic: text('original-topic'),
    partition: number('original-partition'),
    offset: number('original-offset'),
    timestampMs: number('original-timestamp'),
    group: headers.get('kafka_dlt-original-consumer-group') ?? null,
    stage: 'handler',
    errorClass: text('exception-cause-fqcn') || text('exception-fqcn'),
    errorMessage: text('exception-message'),
  }
}

function readConnect(headers: RecordHeaders): DeadLetter {
  const text = (name: string): string => headers.get(`__connect.errors.${name}`) ?? ''
  return {
    ...foreign,
    source: 'connect',
    topic: text('topic'),
    partition: wholeNumber(text('partition'), -1),
    offset: wholeNumber(text('offset'), -1),
    group: null,
    stage: text('stage').toLowerCase(),
    errorClass: text('exception.class.name'),
    errorMessage: text('exception.message'),
  }
}

/** What others do not tell. */
const foreign = { timestampMs: -1, attempts: 0, failedAtMs: -1, outcome: null, replays: 0 } as const

function wholeNumber(text: string | undefined, otherwise: number): number {
  const value = text === undefined || text === '' ? NaN : Number(text)
  return Number.isSafeInteger(value) ? value : otherwise
}

/** Microseconds and nanoseconds are times too: they are no safe integers, and are shown as they came. */
function time(text: string | undefined): number {
  const value = text === undefined || text === '' ? NaN : Number(text)
  return Number.isInteger(value) ? value : -1
}

function bigEndian(bytes: Buffer | null | undefined): number {
  if (bytes?.length === 4) return bytes.readInt32BE()
  return bytes?.length === 8 ? Number(bytes.readBigInt64BE()) : -1
}
