import type { StandardSchemaV1 } from '@standard-schema/spec'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytes } from './bytes.ts'
import { json, nullable } from './json.ts'
import { text } from './text.ts'

const positive: StandardSchemaV1<unknown, { readonly n: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value) {
      const n = (value as { n?: unknown } | null)?.n
      if (typeof n === 'number' && n > 0) return { value: { n } }
      return { issues: [{ message: 'must be positive', path: ['n'] }] }
    },
  },
}

describe('text', () => {
  test('gives back every text, and null', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (value) => text.decode(text.encode(value)) === value))
    expect(text.decode(text.encode(null))).toBeNull()
  })

  test('refuses what is no text', () => {
    expect(() => text.encode(7 as never)).toThrow('expected a string, got number')
  })
})

describe('bytes', () => {
  test('are passed on as they are', () => {
    const value = Buffer.from([0, 255])
    expect(bytes.decode(bytes.encode(value))).toBe(value)
    expect(bytes.encode(null)).toBeNull()
    expect(() => bytes.encode('text' as never)).toThrow('expected a Buffer, got string')
  })
})

describe('JSON', () => {
  test('gives back every JSON value', () => {
    const codec = json()
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(codec.decode(codec.encode(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  test('refuses a cyclic object, a BigInt and undefined', () => {
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    expect(() => json().encode(cyclic)).toThrow(/circular/i)
    expect(() => json().encode({ big: 1n })).toThrow(/BigInt/)
    expect(() => json().encode(undefined)).toThrow('undefined cannot be represented in JSON')
  })

  test('refuses bytes that are no JSON', () => {
    expect(() => json().decode(Buffer.from('{'))).toThrow(SyntaxError)
    expect(() => json().decode(null)).toThrow(/tombstone/)
  })

  test('is checked by its schema in both directions', () => {
    const codec = json(positive)
    expect(codec.decode(codec.encode({ n: 1 }))).toEqual({ n: 1 })
    expect(() => codec.encode({ n: -1 })).toThrow('n: must be positive')
    expect(() => codec.decode(Buffer.from('{"n":0}'))).toThrow('n: must be positive')
  })

  test('refuses a schema that has to be waited for', () => {
    const slow: StandardSchemaV1 = {
      '~standard': { version: 1, vendor: 'test', validate: (value) => Promise.resolve({ value }) },
    }
    expect(() => json(slow).encode(1)).toThrow(/has to answer at once/)
  })

  test('takes null as a tombstone where it is allowed', () => {
    const codec = nullable(json(positive))
    expect(codec.encode(null)).toBeNull()
    expect(codec.decode(null)).toBeNull()
    expect(codec.decode(codec.encode({ n: 2 }))).toEqual({ n: 2 })
  })
})
