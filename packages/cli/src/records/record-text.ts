import { isUtf8 } from 'node:buffer'
import type { ConsumerRecord } from '@sluice/kafka'
import { printable, safeJson } from '../output/printable.ts'

/** A record whose key and value are bytes. */
export type RawRecord = ConsumerRecord<Buffer | null, Buffer | null>

/** Bytes as JSON shows them: text, or an object with base64 where they are none. */
export type JsonBytes = string | null | { readonly base64: string }

/** The documented shape of a record for programs; `produce --input json` reads it. */
export interface JsonRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: string
  readonly key: JsonBytes
  readonly value: JsonBytes
  readonly headers: ReadonlyArray<{ readonly name: string; readonly value: JsonBytes }>
}

/** For people: `null`, text made printable, or base64. Cut to so many characters, with what it was. */
export function shownBytes(bytes: Buffer | null, maxCharacters = Infinity): string {
  if (bytes === null) return 'null'
  if (bytes.length === 0) return '""'
  // A character of text takes four bytes at most, one of base64 less than one.
  const isCut = bytes.length > maxCharacters * 4
  const shown = isCut ? bytes.subarray(0, maxCharacters * 4) : bytes
  const text = isCut ? looselyShown(shown) : exactlyShown(shown)
  if (text.length <= maxCharacters) return text
  return `${text.slice(0, maxCharacters)}... (${bytes.length.toLocaleString('en-US')} bytes)`
}

function jsonBytes(bytes: Buffer | null): JsonBytes {
  if (bytes === null) return null
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') }
}

export function jsonRecord({ topic, partition, offset, timestampMs, key, value, headers }: RawRecord): JsonRecord {
  return {
    topic,
    partition,
    offset,
    timestamp: isoTime(timestampMs),
    key: jsonBytes(key),
    value: jsonBytes(value),
    headers: Array.from(headers, ([name, bytes]) => ({ name, value: jsonBytes(bytes) })),
  }
}

/** Headers that the producer of Sluice and tracing add to every record. */
const addedHeaders: ReadonlySet<string> = new Set(['trace-id', 'timestamp', 'traceparent', 'tracestate'])

/** `own`: without those that the producer and tracing add. */
export type HeaderChoice = 'all' | 'own'

/** `name=value name=value`, or nothing. */
export function shownHeaders({ headers }: RawRecord, choice: HeaderChoice): string {
  const shown: string[] = []
  for (const [name, value] of headers) {
    if (choice === 'all' || !addedHeaders.has(name)) shown.push(`${printable(name)}=${shownBytes(value)}`)
  }
  return shown.join(' ')
}

export function jsonLine(record: RawRecord): string {
  return safeJson(jsonRecord(record))
}

let lastMs = Number.NaN
let lastIso = ''

/** Records that follow each other often bear the same time. A time that no calendar has is its number. */
export function isoTime(ms: number): string {
  if (ms === lastMs) return lastIso
  lastMs = ms
  lastIso = Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
  return lastIso
}

function exactlyShown(bytes: Buffer): string {
  return isUtf8(bytes) ? printable(bytes.toString()) : `base64:${bytes.toString('base64')}`
}

/** The cut may have gone through a character. */
function looselyShown(bytes: Buffer): string {
  const whole = [0, 1, 2, 3].map((less) => bytes.subarray(0, bytes.length - less)).find((part) => isUtf8(part))
  return exactlyShown(whole ?? bytes)
}
