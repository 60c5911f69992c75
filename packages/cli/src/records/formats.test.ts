import { describe, expect, it } from 'vitest'
import { rawRecord } from '../testing/raw-record.ts'
import { jsonFormat, lineFormat, rawFormat, templateFormat } from './formats.ts'

const time = '2025-11-26T00:00:00.000Z'
const piped = { isScreen: false }
const screen = { isScreen: true }
const pipedLine = { isScreen: false, allHeaders: false }
const screenLine = { isScreen: true, allHeaders: false }
const hostile = '\u001B]0;owned\u0007\u009B2J\r\n'

describe('a record on a line', () => {
  it('shows where it is, when, key, value and headers', () => {
    const record = rawRecord({
      headers: [
        ['type', 'created'],
        ['empty', null],
      ],
    })
    expect(lineFormat(pipedLine)(record)).toBe(`0/7        ${time}  k  v  type=created empty=null\n`)
  })

  it('leaves out the headers that every record has, unless all are asked for', () => {
    const added = ['trace-id', 'timestamp', 'traceparent', 'tracestate'] as const
    const record = rawRecord({ headers: [...added.map((name) => [name, 'x'] as const), ['type', 'y']] })
    expect(lineFormat(pipedLine)(record)).toMatch(/ {2}v {2}type=y\n$/)
    expect(lineFormat({ ...pipedLine, allHeaders: true })(record)).toContain('trace-id=x timestamp=x')
    expect(templateFormat('{headers}')(record)).toContain('trace-id=x timestamp=x')
  })

  it('tells nothing, the empty and the binary apart', () => {
    expect(lineFormat(pipedLine)(rawRecord({ key: null, value: '' }))).toBe(`0/7        ${time}  null  ""\n`)
    expect(lineFormat(pipedLine)(rawRecord({ key: Buffer.from([0xff, 0]), value: null }))).toContain(
      '  base64:/wA=  null\n',
    )
  })

  it('is one line that commands no terminal, whatever key, value and headers hold', () => {
    const record = rawRecord({ key: hostile, value: hostile, headers: [[hostile, hostile]] })
    for (const format of [
      lineFormat(pipedLine),
      lineFormat(screenLine),
      templateFormat('{key}{value}{headers}'),
      jsonFormat,
    ]) {
      expect(String(format(record)).slice(0, -1)).not.toMatch(/\p{Cc}/u)
    }
    expect(rawFormat(screen)(record)).toBe('\\e]0;owned\\x07\\x9b2J\\r\\n\n')
  })

  it('is cut on a screen, between two characters, and whole in a pipe', () => {
    const record = rawRecord({ value: '주'.repeat(100_000) })
    const shown = String(lineFormat(screenLine)(record))
    expect(shown).toContain('주... (300,000 bytes)')
    expect(shown.length).toBeLessThan(5_000)
    expect(String(lineFormat(pipedLine)(record))).toContain('주'.repeat(100_000))
  })

  it('has a time even where no calendar has it', () => {
    expect(lineFormat(pipedLine)(rawRecord({ timestampMs: -1 }))).toContain('1969-12-31T23:59:59.999Z')
    expect(lineFormat(pipedLine)(rawRecord({ timestampMs: 9e15 }))).toContain('  9000000000000000  ')
  })
})

describe('a record as JSON', () => {
  it('has the documented shape, an object a line', () => {
    const record = rawRecord({
      headers: [
        ['a', '1'],
        ['a', '2'],
      ],
      value: Buffer.from([0xff, 0xfe]),
    })
    expect(JSON.parse(String(jsonFormat(record)))).toEqual({
      topic: 'orders',
      partition: 0,
      offset: 7,
      timestamp: time,
      key: 'k',
      value: { base64: '//4=' },
      headers: [
        { name: 'a', value: '1' },
        { name: 'a', value: '2' },
      ],
    })
  })
})

describe('the value alone', () => {
  it('is its own bytes in a pipe', () => {
    const value = Buffer.from([0, 0x1b, 0xff, 10])
    expect(rawFormat(piped)(rawRecord({ value }))).toEqual(Buffer.concat([value, Buffer.from('\n')]))
  })
})

describe('a template', () => {
  it('fills in fields and headers', () => {
    const format = templateFormat('{topic}-{partition}@{offset}\\t{key}={value} {header.type} {bytes} {time}')
    expect(format(rawRecord({ headers: [['type', 'created']] }))).toBe(`orders-0@7\tk=v created 2 ${time}\n`)
    expect(format(rawRecord())).toContain('k=v  2')
  })

  it('shows bytes as digits, and how many there are', () => {
    const record = rawRecord({ key: null, value: Buffer.from([0xff, 0, 0x1b]) })
    const format = templateFormat('{key.hex} {key.bytes} {value.hex} {value.base64} {value.bytes}')
    expect(format(record)).toBe('null 0 ff001b /wAb 3\n')
  })

  it('knows the escapes of a shell, of bytes and of its own braces', () => {
    const format = templateFormat(String.raw`\x1b[1m{key}\e[0m\t\\n\{value\}\r\0{`)
    expect(format(rawRecord())).toBe('\u001B[1mk\u001B[0m\t\\n{value}\r\0{\n')
  })

  it.each([
    ['{values}', /unknown placeholder \{values\}; use one of \{topic\} .*\{header\.NAME\}/],
    ['{constructor}', /unknown placeholder \{constructor\}/],
    ['{__proto__}', /unknown placeholder/],
    ['%k %v', /the template has no field; use at least one of \{topic\}/],
    ['', /the template has no field/],
    [String.raw`\{key\}`, /the template has no field/],
    [String.raw`{key}\q`, /unknown escape \\q; use one of/],
    [String.raw`{key}\xg1`, /unknown escape \\x/],
    ['{key}\\', /unknown escape/],
  ])('%j is refused with what there is', (template, message) => {
    expect(() => templateFormat(template)).toThrow(message)
  })
})
