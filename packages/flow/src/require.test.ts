import { expect, test } from 'vitest'
import { ConfigError } from './index.ts'
import { requireFunction, requireInteger, requireNumber, requireOneOf } from './internal.ts'

test('a number within its range comes back', () => {
  expect(requireNumber('ratio', 0.5, { min: 0, max: 1 })).toBe(0.5)
  expect(requireNumber('ratio', 0, { min: 0, max: 1 })).toBe(0)
  expect(requireNumber('ratio', 1, { min: 0, max: 1 })).toBe(1)
  expect(requireNumber('delayMs', Infinity, { min: 0, max: Infinity })).toBe(Infinity)
  expect(requireInteger('count', Infinity, { max: Infinity })).toBe(Infinity)
  expect(requireInteger('count', -3)).toBe(-3)
})

test.each([
  [() => requireNumber('ratio', Number.NaN), 'ratio is NaN, but must be a number'],
  [() => requireNumber('ratio', '1'), 'ratio is "1", but must be a number'],
  [() => requireNumber('ratio', Infinity), 'ratio is Infinity, but must be a number'],
  [() => requireNumber('ratio', 1.1, { min: 0, max: 1 }), 'ratio is 1.1, but must be a number from 0 to 1'],
  [() => requireNumber('d', -1, { min: 0, max: Infinity }), 'd is -1, but must be a number of at least 0 or Infinity'],
  [() => requireNumber('d', 2, { max: 1 }), 'd is 2, but must be a number of at most 1'],
  [() => requireInteger('count', 1.5, { min: 1 }), 'count is 1.5, but must be a whole number of at least 1'],
  [() => requireInteger('count', 0, { min: 1 }), 'count is 0, but must be a whole number of at least 1'],
  [() => requireInteger('count', Infinity, { min: 1 }), 'count is Infinity, but must be a whole number of at least 1'],
  [() => requireInteger('count', 1.5, { max: Infinity }), 'count is 1.5, but must be a whole number'],
  [() => requireOneOf('order', 'keys', ['key', 'none']), 'order is "keys", but must be one of key, none'],
  [() => requireFunction('handler', undefined as never), 'handler is undefined, but must be a function'],
])('%s names the field, the value and what is allowed', (attempt, message) => {
  expect(attempt).toThrow(ConfigError)
  expect(attempt).toThrow(message)
})

test('what is allowed is said without needless words', () => {
  const allowed = (range: object) => {
    try {
      return requireNumber('x', Number.NaN, range)
    } catch (error) {
      return (error as ConfigError).allowed
    }
  }
  expect(allowed({})).toBe('a number')
  expect(allowed({ max: Infinity })).toBe('a number')
  expect(allowed({ min: 1 })).toBe('a number of at least 1')
  expect(allowed({ min: 1, max: Infinity })).toBe('a number of at least 1 or Infinity')
  expect(allowed({ max: 2 })).toBe('a number of at most 2')
  expect(allowed({ min: 1, max: 2 })).toBe('a number from 1 to 2')
})
