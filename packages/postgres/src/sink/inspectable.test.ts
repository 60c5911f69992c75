import { expect, it } from 'vitest'
import { faultOf } from '../sql/fault.ts'
import { deadLetterRow } from './dead-letter.ts'
import { inspectable } from './inspectable.ts'
import { ConsumerRecord } from '@sluice/kafka'

const trap = (): never => {
  throw new Error('a trap')
}
const revoked = Proxy.revocable({}, {})
revoked.revoke()

it.each([
  ['an object without a prototype', Object.create(null)],
  ['an object whose toString throws', { toString: trap }],
  ['a proxy that throws at everything', new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap })],
  ['a proxy that was revoked', revoked.proxy],
  ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: trap })],
  ['an error whose cause throws', Object.defineProperty(new Error('x'), 'cause', { get: trap })],
  ['nothing', undefined],
  ['a symbol', Symbol('s')],
])('%s, thrown by a handler of a sink, is a fault of its record and can be written down', (_, thrown) => {
  const error = inspectable(thrown)
  expect(faultOf(error)).toBe('record')
  const wire = { key: null, value: null, headers: undefined, offset: 7, timestampMs: 0 }
  const record = new ConsumerRecord('t', 1, wire, null, null)
  const row = deadLetterRow(record, { group: 'g', attempts: 1, error, failedAtMs: 1 })
  expect(row.topic).toBe('t.dlq')
})

it('an error is left as it is', () => {
  const error = new Error('no', { cause: new Error('why') })
  expect(inspectable(error)).toBe(error)
})
