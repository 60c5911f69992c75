import { ConfigError } from '@sluice/flow'
import { priorities, promiseOf, requireOneOf } from '@sluice/flow/internal'
import { batchOverheadBytes } from '../batch/encode.ts'
import type { Encoder } from '../codecs/codec.ts'
import { EncodeError, RecordTooLargeError } from '../errors.ts'
import type { RecordPart } from '../errors.ts'
import type { HeaderInput, HeadersInput, OutgoingRecord, TargetTopic, WireHeaders } from '../record/record.ts'
import type { AddedHeaders } from './added-headers.ts'
import { PendingRecord } from './pending-record.ts'
import type { CarriedTrace } from '../tracing/trace-headers.ts'

export interface EncodeContext {
  readonly maxRecordBytes: number
  readonly nowMs: number
  readonly added: AddedHeaders
  /** The trace that the record carries on. */
  readonly trace: CarriedTrace | undefined
}

/**
 * Turns a record into bytes, before it takes any room in the queue.
 * @throws EncodeError, RecordTooLargeError, ConfigError for a partition or a timestamp that makes no sense
 */
export function encodeRecord<K, V>(
  topic: TargetTopic<K, V>,
  record: OutgoingRecord<K, V>,
  { maxRecordBytes, nowMs, added, trace }: EncodeContext,
): PendingRecord {
  if (typeof record !== 'object' || record === null) {
    throw new ConfigError('record', record, 'an object with a value, such as { key, value }')
  }
  const { key: plainKey, partition, timestampMs, priority = 'medium' } = record
  if (partition !== undefined) requireNatural('partition', partition)
  if (timestampMs !== undefined) requireNatural('timestampMs', timestampMs)
  if (priority !== 'medium') requireOneOf('priority', priority, priorities)
  const key = plainKey === undefined || plainKey === null ? null : encodePart(topic, 'key', topic.key, plainKey)
  const value = encodePart(topic, 'value', topic.value, record.value)
  const own = record.headers === undefined ? undefined : encodeHeaders(record.headers)
  const headers = added.addTo(own, { nowMs, idempotencyKey: record.idempotencyKey, trace })
  const pending = new PendingRecord(key, value, headers, timestampMs ?? nowMs, partition ?? -1, priority)
  const bytes = pending.bytes + batchOverheadBytes
  if (bytes > maxRecordBytes) throw new RecordTooLargeError(topic.name, bytes, maxRecordBytes)
  return pending
}

function encodePart<T>(topic: { readonly name: string }, part: RecordPart, codec: Encoder<T>, value: T): Buffer | null {
  try {
    const bytes = codec.encode(value)
    if (bytes !== null && !Buffer.isBuffer(bytes)) {
      promiseOf<unknown>(bytes)?.catch(() => {})
      throw new TypeError('the codec gave no Buffer')
    }
    return bytes
  } catch (error) {
    throw new EncodeError(topic.name, part, codec.name, error)
  }
}

function requireNatural(field: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new ConfigError(field, value, 'a whole number of at least 0')
}

function encodeHeaders(headers: HeadersInput): WireHeaders {
  const pairs = isPairs(headers) ? headers : Object.entries(requirePlainObject(headers))
  return pairs.map((pair) => {
    if (!Array.isArray(pair) || typeof pair[0] !== 'string') throw badHeaders(headers)
    const [name, value] = pair as readonly [string, HeaderInput]
    return [Buffer.from(name), encodeHeader(name, value)] as const
  })
}

/** A Map, or what else has no fields that are headers, would be written as none. */
function requirePlainObject<T extends object>(headers: T): T {
  if (typeof headers === 'object' && headers !== null && !(Symbol.iterator in headers)) return headers
  throw badHeaders(headers)
}

function badHeaders(headers: unknown): ConfigError {
  return new ConfigError('headers', headers, 'an object, or a list of pairs of a name and a value')
}

function isPairs(headers: HeadersInput): headers is ReadonlyArray<readonly [string, HeaderInput]> {
  return Array.isArray(headers)
}

function encodeHeader(name: string, value: HeaderInput): Buffer | null {
  if (value === null || Buffer.isBuffer(value)) return value
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  throw new ConfigError(`headers.${name}`, value, 'a string, bytes or null')
}
