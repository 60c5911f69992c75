import { Emitter } from '@sluice/flow/internal'
import { expect, test } from 'vitest'
import { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../events.ts'
import { type PrioritySource, priorityReader } from './record-priority.ts'

function record(headers: readonly (readonly [string, string])[]): ConsumerRecord {
  const wire = headers.map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const)
  const decoded = { key: null, value: null, headers: wire, offset: 0, timestampMs: 0 }
  return new ConsumerRecord('t', 0, decoded, null, null)
}

function read(source: PrioritySource, of: ConsumerRecord) {
  const events = new Emitter<ConsumerEvents>()
  const errors: ConsumerEvents['error'][] = []
  events.on('error', (event) => errors.push(event))
  return { priority: priorityReader(source, events)(of), errors }
}

test.each([
  [[['rank', 'high']], 'high'],
  [[['rank', 'low']], 'low'],
  [[['rank', 'urgent']], undefined],
  [[['other', 'high']], undefined],
  [[], undefined],
] as const)('of headers %o', (headers, expected) => {
  expect(read('rank', record(headers))).toEqual({ priority: expected, errors: [] })
})

test('of a function', () => {
  expect(read(() => 'low', record([])).priority).toBe('low')
  expect(read(() => undefined, record([])).priority).toBeUndefined()
})

test('a function that fails, or says what is no priority, is told and says nothing', () => {
  const error = new Error('no such field')
  const fails = (): never => {
    throw error
  }
  expect(read(fails, record([]))).toEqual({ priority: undefined, errors: [{ during: 'priority', error }] })
  expect(read(() => 'urgent' as never, record([]))).toMatchObject({
    priority: undefined,
    errors: [{ during: 'priority', error: { field: 'priority', value: 'urgent' } }],
  })
})
