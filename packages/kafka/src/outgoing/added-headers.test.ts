import { describe, expect, test } from 'vitest'
import type { HeadersInput, OutgoingRecord } from '../record/record.ts'
import { AddedHeaders } from './added-headers.ts'
import { encodeRecord } from './encode-record.ts'
import { parseProducerOptions } from '../producer/options.ts'
import type { ProducerOptions } from '../producer/options.ts'
import { letters } from '../producer/testing/open-producer.ts'

function headersOf(
  record: Partial<OutgoingRecord<string, string>>,
  addHeaders: ProducerOptions['addHeaders'] = true,
): [string, string | undefined][] {
  const added = new AddedHeaders(parseProducerOptions({ addHeaders }).addHeaders)
  const encodeContext = { maxRecordBytes: 10_000, nowMs: 1_234, added, trace: undefined }
  const { headers = [] } = encodeRecord(letters, { value: 'v', ...record }, encodeContext)
  return headers.map(([name, value]) => [String(name), value?.toString()])
}

const hex32 = expect.stringMatching(/^[\da-f]{32}$/) as string

describe('headers that are added', () => {
  test('are a trace id of its own and the time, behind those of the record', () => {
    expect(headersOf({ headers: { own: '1' } })).toEqual([
      ['own', '1'],
      ['trace-id', hex32],
      ['timestamp', '1234'],
    ])
    const ids = new Set(Array.from({ length: 1_000 }, () => headersOf({})[0]![1]))
    expect(ids.size).toBe(1_000)
  })

  test.each<[string, HeadersInput]>([
    ['an object', { 'trace-id': 'mine', timestamp: 'yesterday' }],
    [
      'pairs',
      [
        ['trace-id', 'mine'],
        ['timestamp', 'yesterday'],
      ],
    ],
  ])('leave alone what the record brings itself, as %s', (_, headers) => {
    expect(headersOf({ headers })).toEqual([
      ['trace-id', 'mine'],
      ['timestamp', 'yesterday'],
    ])
  })

  test('include an idempotency key where the record or the producer asks for one', () => {
    expect(headersOf({ idempotencyKey: 'order-7' }, false)).toEqual([['idempotency-key', 'order-7']])
    const all = { traceId: false, timestamp: false, idempotencyKey: true }
    expect(headersOf({}, all)).toEqual([['idempotency-key', hex32]])
    expect(headersOf({ idempotencyKey: 'order-7' }, all)).toEqual([['idempotency-key', 'order-7']])
    expect(() => headersOf({ idempotencyKey: '' })).toThrow('idempotencyKey')
  })

  test('are none where they are not wanted', () => {
    expect(headersOf({}, false)).toEqual([])
    expect(headersOf({}, { traceId: false })).toEqual([['timestamp', '1234']])
  })
})
