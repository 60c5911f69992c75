import { describe, expect, it } from 'vitest'
import { rawRecord } from '../testing/raw-record.ts'
import { jsonLine } from './record-text.ts'
import { jsonParser, plainParser } from './parse-line.ts'

const defaults = { key: Buffer.from('all'), headers: [['source', 'test']] as const, partition: 2 }
const none = { key: null, headers: [], partition: undefined }

describe('a plain line', () => {
  it('is the value; key, headers and partition are those of all', () => {
    const record = plainParser(defaults, undefined)(Buffer.from('hello'))
    expect(record).toEqual({
      key: Buffer.from('all'),
      value: Buffer.from('hello'),
      headers: [['source', 'test']],
      partition: 2,
    })
  })

  it('is cut at the first separator, whatever the value holds', () => {
    const record = plainParser(none, '::')(Buffer.from('a::b::c'))
    expect(record).toMatchObject({ key: Buffer.from('a'), value: Buffer.from('b::c') })
    expect(() => plainParser(none, ':')(Buffer.from('nothing'))).toThrow('it has no ":" between key and value')
  })
})

describe('a line of JSON', () => {
  it('is read as tail writes it, bytes and repeated headers too', () => {
    const record = rawRecord({
      key: Buffer.from([0xff, 0]),
      value: null,
      headers: [
        ['a', '1'],
        ['a', null],
      ],
      timestampMs: 5,
    })
    expect(jsonParser(none)(Buffer.from(jsonLine(record)))).toEqual({
      key: Buffer.from([0xff, 0]),
      value: null,
      headers: [
        ['a', Buffer.from('1')],
        ['a', null],
      ],
      timestampMs: 5,
    })
  })

  it('may hold any JSON as its value, and a plain object of headers', () => {
    const record = jsonParser(defaults)(Buffer.from('{"value":{"id":1},"headers":{"a":"b"},"timestamp":7}'))
    expect(record).toEqual({
      key: Buffer.from('all'),
      value: Buffer.from('{"id":1}'),
      headers: [
        ['source', 'test'],
        ['a', Buffer.from('b')],
      ],
      partition: 2,
      timestampMs: 7,
    })
    expect(jsonParser(none)(Buffer.from('{"value":{"base64":1}}')).value?.toString()).toBe('{"base64":1}')
  })

  it.each([
    ['nonsense', 'not JSON'],
    ['[1]', 'not a JSON object'],
    ['{"key":"k"}', 'it has no field `value`'],
    ['{"value":{"base64":"*"}}', '`value` is not valid base64'],
    ['{"value":"v","timestamp":"soon"}', 'its timestamp is neither'],
    ['{"value":"v","headers":3}', 'its headers are neither'],
    ['{"value":"v","headers":[{"value":"x"}]}', 'a header has no name'],
  ])('%s is refused: %s', (line, message) => {
    expect(() => jsonParser(none)(Buffer.from(line))).toThrow(message)
  })
})
