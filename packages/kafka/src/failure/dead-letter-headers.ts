import type { RecordHeaders } from '../consumer/consumer-record.ts'

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
  readonly errorClass: string
  readonly errorMessage: string
  /** When it failed: milliseconds since the epoch, -1 unknown. */
  readonly failedAtMs: number
  /** `unknown`: the record may be in its topic all the same, so sending it again may double it. */
  readonly outcome: 'refused' | 'unknown' | null
  /** How often it had been replayed before it failed this time. */
  readonly replays: number
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

const ownNames: ReadonlySet<string> = new Set(Object.values(deadLetterHeader))

/** Whether a header says something of a failure, whoever wrote it: of no use to whoever handles the record again. */
export function isDeadLetterHeader(name: string): boolean {
  return ownNames.has(name) || name.startsWith('kafka_dlt-') || name.startsWith('__connect.errors.')
}

/** More of a message says nothing, and would make a record that cannot be written. */
const maxMessageLength = 4_096

/** The headers of a dead letter: those of the record, and what is known of its failure. */
export function deadLetterHeaders(
  original: Iterable<readonly [name: string, value: Uint8Array | null]>,
  letter: Omit<DeadLetter, 'source'>,
): (readonly [name: string, value: Uint8Array | string | null])[] {
  const kept = [...original].filter(([name]) => !ownNames.has(name))
  const own = Object.entries(deadLetterHeader).flatMap(([field, name]): [string, string][] => {
    const value = letter[field as keyof typeof deadLetterHeader]
    return value === unknowns[name] ? [] : [[name, String(value).slice(0, maxMessageLength)]]
  })
  return [...kept, ...own]
}

/** What the headers of a dead letter say, whoever wrote it; undefined where they say nothing. */
export function readDeadLetter(headers: RecordHeaders): DeadLetter | undefined {
  if (headers.getBytes(deadLetterHeader.topic)) return readOwn(headers)
  if (headers.getBytes('kafka_dlt-original-topic')) return readSpring(headers)
  if (headers.getBytes('__connect.errors.topic')) return readConnect(headers)
  return undefined
}

function readOwn(headers: RecordHeaders): DeadLetter {
  const text = (name: string): string => headers.get(name) ?? ''
  const outcome = headers.get(deadLetterHeader.outcome)
  return {
    source: 'sluice',
    topic: text(deadLetterHeader.topic),
    partition: wholeNumber(headers.get(deadLetterHeader.partition), -1),
    offset: wholeNumber(headers.get(deadLetterHeader.offset), -1),
    timestampMs: wholeNumber(headers.get(deadLetterHeader.timestampMs), -1),
    group: headers.get(deadLetterHeader.group) ?? null,
    attempts: wholeNumber(headers.get(deadLetterHeader.attempts), 0),
    stage: text(deadLetterHeader.stage),
    errorClass: text(deadLetterHeader.errorClass),
    errorMessage: text(deadLetterHeader.errorMessage),
    failedAtMs: wholeNumber(headers.get(deadLetterHeader.failedAtMs), -1),
    outcome: outcome === 'refused' || outcome === 'unknown' ? outcome : null,
    replays: wholeNumber(headers.get(deadLetterHeader.replays), 0),
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

function bigEndian(bytes: Buffer | null | undefined): number {
  if (bytes?.length === 4) return bytes.readInt32BE()
  return bytes?.length === 8 ? Number(bytes.readBigInt64BE()) : -1
}
