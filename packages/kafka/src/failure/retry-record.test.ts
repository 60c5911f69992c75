import { expect, test } from 'vitest'
import { ConsumerRecord, RecordHeaders } from '../incoming/consumer-record.ts'
import type { FetchedBatch } from '../incoming/fetched-batch.ts'
import type { WireHeaders } from '../record/record.ts'
import { asOriginal, readRetry, retryHeaders } from './retry-record.ts'

const wire = (headers: Iterable<readonly [string, unknown]>): WireHeaders =>
  Array.from(headers, ([name, value]) => [Buffer.from(name), Buffer.from(String(value))] as const)

const own = wire([
  ['trace-id', 'abc'],
  ['not-before', 'of an earlier time'],
])
const decoded = { offset: 42, timestampMs: 1_000, key: Buffer.from('k'), value: Buffer.from('v'), headers: own }
const record = new ConsumerRecord('orders', 3, decoded, 'k', 'v')
const facts = { topicId: 'an-id', attempts: 2, notBeforeMs: 5_000 }

test('a record in the retry topic says where it is from, and keeps its own headers', () => {
  const written = [...(retryHeaders(record, facts) as Iterable<readonly [string, string | Buffer]>)]
  expect(written.map(([name, value]) => [name, String(value)])).toEqual([
    ['trace-id', 'abc'],
    ['sluice-kept-not-before', 'of an earlier time'],
    ['retry-count', '2'],
    ['not-before', '5000'],
    ['original-topic', 'orders'],
    ['original-topic-id', 'an-id'],
    ['original-partition', '3'],
    ['original-offset', '42'],
    ['original-timestamp', '1000'],
  ])
  const read = readRetry(new RecordHeaders(wire(written)))
  expect(read).toEqual({ ...facts, partition: 3, offset: 42, timestampMs: 1_000 })
  const stored = { ...decoded, offset: 7, timestampMs: 6_000, headers: wire(written) }
  const retry = { ...facts, partition: 3, offset: 42, timestampMs: 1_000 }
  expect(asOriginal(stored)).toEqual({ ...stored, offset: 42, timestampMs: 1_000, headers: own, retry })
})

test.each([[[]], [[['original-topic-id', 'an-id']]], [[['retry-count', 'many']]]] as [string, string][][][])(
  'what somebody else wrote there is what it is: %j',
  (headers) => {
    const foreign = { ...decoded, headers: wire(headers) }
    expect(readRetry(new RecordHeaders(foreign.headers))).toBeUndefined()
    expect(asOriginal(foreign)).toBe(foreign)
  },
)

test.each(['retry-count', 'original-partition', 'original-offset'])(
  'with a %s below zero is what somebody else wrote: it would be tried for ever',
  (name) => {
    const headers = [...(retryHeaders(record, facts) as Iterable<readonly [string, unknown]>), [name, '-9'] as const]
    expect(readRetry(new RecordHeaders(wire(headers)))).toBeUndefined()
  },
)

test('a letter of another tool that is sent back there need not say where it is from', () => {
  const nowhere = new ConsumerRecord('orders', -1, { ...decoded, offset: -1 }, 'k', 'v')
  const headers = wire(retryHeaders(nowhere, facts) as Iterable<readonly [string, unknown]>)
  expect(readRetry(new RecordHeaders(headers))).toMatchObject({ partition: -1, offset: -1 })
})

test('a letter that is sent back there says where it is from, but not in which topic of that name', () => {
  const headers = [...(retryHeaders(record, { ...facts, topicId: '' }) as Iterable<readonly [string, unknown]>)]
  expect(headers.map(([name]) => name)).not.toContain('original-topic-id')
  const stored = { ...decoded, offset: 7, headers: wire(headers) }
  expect(readRetry(new RecordHeaders(stored.headers))).toMatchObject({ topicId: '', offset: 42 })
  expect(asOriginal(stored).offset).toBe(42)
})

test.each([1_796_063_413_308_000_000, 2 ** 63, -5])('a time of %d keeps its record known', (timestampMs) => {
  const odd = new ConsumerRecord('orders', 3, { ...decoded, timestampMs }, 'k', 'v')
  const stored = {
    ...decoded,
    offset: 7,
    headers: wire(retryHeaders(odd, facts) as Iterable<readonly [string, unknown]>),
  }
  expect(asOriginal(stored)).toMatchObject({ offset: 42, timestampMs })
})

test('the batch that a record waited in says nothing of the log that it is from', () => {
  const batch = { header: { leaderEpoch: 9 } } as unknown as FetchedBatch
  const stored = { ...decoded, headers: wire(retryHeaders(record, facts) as Iterable<readonly [string, unknown]>) }
  expect(new ConsumerRecord('orders', 3, asOriginal(stored), 'k', 'v', batch).leaderEpoch).toBe(-1)
  expect(new ConsumerRecord('orders', 3, decoded, 'k', 'v', batch).leaderEpoch).toBe(9)
})
