import type { HeaderInput, HeadersInput } from '@sluice/kafka'
import { lockKey } from '../sql/lock-key.ts'

/** A record on its way to Kafka. */
export interface OutboxRow {
  readonly topic: string
  /** Undefined: by its key. */
  readonly partition: number | undefined
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: HeadersInput
  /** Undefined: when it is sent. */
  readonly timestampMs: number | undefined
}

/** A header as it lies in a row: text as it is, other bytes in base64. */
export type StoredHeader = readonly [name: string, value: string | null | { readonly base64: string }]

/** The buckets of the table are a constant: with another number a key's rows would lie in two of them. */
export const BUCKETS = 16

/** Locks by key: few enough that one transaction cannot use up the server's table of locks. */
const KEY_LOCKS = 1_024

/** Rows of one key are in one bucket, which one relay sends in their order. Those without a key are spread. */
export function bucketOf({ topic, key }: Pick<OutboxRow, 'topic' | 'key'>): number {
  if (key === null) return Math.floor(Math.random() * BUCKETS)
  return Number(BigInt.asUintN(32, lockKey(topic, key)) % BigInt(BUCKETS))
}

/** The number of the lock that a key's writers take one after the other; undefined: it has no key, and no order. */
export function keyLock({ topic, key }: Pick<OutboxRow, 'topic' | 'key'>): number | undefined {
  if (key === null) return undefined
  return Number(BigInt.asUintN(32, lockKey(topic, key) >> 32n) % BigInt(KEY_LOCKS))
}

export function storedHeaders(headers: HeadersInput): StoredHeader[] {
  const entries = Array.isArray(headers) ? (headers as (readonly [string, HeaderInput])[]) : Object.entries(headers)
  return entries.map(([name, value]) => [name, storedValue(value)])
}

export function readHeaders(stored: readonly StoredHeader[]): [name: string, value: HeaderInput][] {
  return stored.map(([name, value]) => {
    const isBytes = typeof value === 'object' && value !== null
    return [name, isBytes ? Buffer.from(value.base64, 'base64') : value]
  })
}

/** What JSON in PostgreSQL cannot hold (a zero byte), or UTF-8 would change, goes as bytes. */
function storedValue(value: HeaderInput): StoredHeader[1] {
  if (value === null) return null
  if (typeof value === 'string' && !value.includes('\0') && value.isWellFormed()) return value
  const bytes = Buffer.from(value as Uint8Array)
  const text = bytes.toString()
  const isText = !text.includes('\0') && Buffer.from(text).equals(bytes)
  return isText ? text : { base64: bytes.toString('base64') }
}
