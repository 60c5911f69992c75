import { ConsumerRecord } from '@sluice/kafka'
import { expect, it } from 'vitest'
import { markOf } from './mark.ts'

const record = (headers: Record<string, string> = {}): ConsumerRecord => {
  const wire = Object.entries(headers).map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const)
  return new ConsumerRecord('t', 1, { key: null, value: null, headers: wire, offset: 7, timestampMs: 0 }, null, null)
}

it('a record is known by its own key wherever it lies, and else by where it is', () => {
  const place = { group: 'g', topic: 't', partition: 1, offset: 7, leaderEpoch: -1 }
  expect(markOf(record({ 'idempotency-key': 'k' }), 'id', 'g')).toEqual({ ...place, key: 'key:k' })
  expect(markOf(record(), 'id', 'g')).toEqual({ ...place, key: 'at:id/1/7' })
})

it('a key cannot look like a place, and one that no index takes is none', () => {
  expect(markOf(record({ 'idempotency-key': 'at:id/1/7' }), 'id', 'g').key).toBe('key:at:id/1/7')
  for (const key of ['', 'a\0b', 'x'.repeat(1_025)]) {
    expect(markOf(record({ 'idempotency-key': key }), 'id', 'g').key).toBe('at:id/1/7')
  }
})
