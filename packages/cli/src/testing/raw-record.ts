import { ConsumerRecord } from '@sluice/kafka'
import type { RawRecord } from '../records/record-text.ts'

export interface RawFields {
  readonly partition?: number
  readonly offset?: number
  readonly timestampMs?: number
  readonly key?: string | Buffer | null
  readonly value?: string | Buffer | null
  readonly headers?: ReadonlyArray<readonly [string, string | null]>
}

/** A record of `orders` as a reader gives it out. */
export function rawRecord(fields: RawFields = {}): RawRecord {
  const { partition = 0, offset = 7, timestampMs = 1_764_115_200_000, key = 'k', value = 'v', headers = [] } = fields
  const bytes = (part: string | Buffer | null): Buffer | null => (typeof part === 'string' ? Buffer.from(part) : part)
  const wire = { offset, timestampMs, key: bytes(key), value: bytes(value) }
  const wireHeaders = headers.map(([name, text]) => [Buffer.from(name), bytes(text)] as const)
  return new ConsumerRecord('orders', partition, { ...wire, headers: wireHeaders }, wire.key, wire.value)
}
