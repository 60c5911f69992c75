import { describe, expect, it } from 'vitest'
import { rawRecord } from '../testing/raw-record.ts'
import { matcherOf, parseHeaderFilter } from './filter.ts'

describe('a filter', () => {
  const record = rawRecord({
    key: 'user-1',
    value: '{"text":"주문 완료"}',
    headers: [
      ['type', 'created'],
      ['type', 'paid'],
      ['flag', null],
    ],
  })

  it.each([
    ['the whole key', { key: 'user-1' }, true],
    ['a part of the key', { key: 'user' }, false],
    ['text in the value', { grep: '주문' }, true],
    ['text in the key', { grep: 'ser-' }, true],
    ['text that is nowhere', { grep: 'nowhere' }, false],
    ['a header by its name', { header: parseHeaderFilter('flag') }, true],
    ['a header by its last value', { header: parseHeaderFilter('type=paid') }, true],
    ['a header by a value before', { header: parseHeaderFilter('type=created') }, false],
    ['a header that is not there', { header: parseHeaderFilter('none') }, false],
    ['all at once', { key: 'user-1', grep: 'text', header: parseHeaderFilter('flag') }, true],
    ['all at once, one of them wrong', { key: 'user-1', grep: 'no', header: parseHeaderFilter('flag') }, false],
  ])('finds %s', (_, filter, expected) => {
    expect(matcherOf(filter)?.(record)).toBe(expected)
  })

  it('finds nothing in a record without key and value', () => {
    expect(matcherOf({ key: '', grep: '' })?.(rawRecord({ key: null, value: null }))).toBe(false)
  })

  it('is none where nothing is asked for', () => {
    expect(matcherOf({})).toBeUndefined()
    expect(() => parseHeaderFilter('=x')).toThrow('name or name=value')
  })
})
