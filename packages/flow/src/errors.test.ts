import { expect, test } from 'vitest'
import {
  BackpressureError,
  BufferOverflowError,
  CircuitOpenError,
  ClosedError,
  ConfigError,
  InvariantError,
  RateLimitError,
  SluiceError,
  SubscribeError,
} from './index.ts'
import { DroppedError } from './errors.ts'

test.each([
  [
    new ConfigError('size', 0, 'at least 1'),
    'config_invalid',
    false,
    { field: 'size', value: 0, allowed: 'at least 1' },
  ],
  [
    new BackpressureError('waiting_full', 'full', { waiting: 9 }),
    'backpressure',
    true,
    { reason: 'waiting_full', waiting: 9 },
  ],
  [new BackpressureError('waiting_full', 'full'), 'backpressure', true, {}],
  [new CircuitOpenError('open', 5, { state: 'open' }), 'circuit_open', true, { retryAfterMs: 5, state: 'open' }],
  [new RateLimitError(7, { cost: 1 }), 'rate_limited', true, { retryAfterMs: 7, cost: 1 }],
  [new RateLimitError(7), 'rate_limited', true, {}],
  [new BufferOverflowError(3), 'buffer_overflow', true, { size: 3 }],
  [new ClosedError('The gate', { waiting: 1 }), 'closed', false, { message: 'The gate is closed', waiting: 1 }],
  [new ClosedError('The gate'), 'closed', false, {}],
  [new InvariantError('wrong', { count: -1 }), 'invariant_broken', false, { count: -1 }],
  [new InvariantError('wrong'), 'invariant_broken', false, {}],
  [new DroppedError(), 'element_dropped', true, {}],
  [new SubscribeError('twice'), 'subscribe_refused', false, { message: 'twice' }],
  [new SluiceError('own', 'text', { retriable: true, cause: 'why' }), 'own', true, { cause: 'why' }],
])('%s has its code, whether it is retriable, its name and its facts', (error, code, retriable, facts) => {
  expect(error).toBeInstanceOf(SluiceError)
  expect(error).toMatchObject({ code, retriable, name: error.constructor.name, ...facts })
  expect('cause' in error).toBe('cause' in facts)
})

test.each([
  ['text', '"text"'],
  [[1], 'an array'],
  [{}, 'an object'],
  [null, 'null'],
  [undefined, 'undefined'],
  [Number.NaN, 'NaN'],
])('a bad value %o is shown as %s', (value, shown) => {
  expect(new ConfigError('field', value, 'good').message).toBe(`field is ${shown}, but must be good`)
})
