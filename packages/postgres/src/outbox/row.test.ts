import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BUCKETS, bucketOf, keyLock, readHeaders, storedHeaders } from './row.ts'

describe('headers in a row', () => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array(), fc.constant(null))

  it('come back as the bytes they were, through JSON and whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), value)), (headers) => {
        const json = JSON.stringify(storedHeaders(headers))
        expect(json).not.toContain(String.raw`\u0000`)
        const bytesOf = (one: string | Uint8Array | null) => (one === null ? null : Buffer.from(one as string))
        const read = readHeaders(JSON.parse(json) as ReturnType<typeof storedHeaders>)
        expect(read.map(([name, back]) => [name, bytesOf(back)])).toEqual(
          headers.map(([name, given]) => [name, bytesOf(given)]),
        )
      }),
    )
  })

  it('may be given as an object', () => {
    expect(storedHeaders({ a: 'b', c: null, d: Buffer.from([0xff]) })).toEqual([
      ['a', 'b'],
      ['c', null],
      ['d', { base64: '/w==' }],
    ])
  })
})

describe('buckets', () => {
  const key = (text: string) => ({ topic: 't', key: Buffer.from(text) })

  it('keep a key together, and use all there are', () => {
    const seen = new Set(Array.from({ length: 1_000 }, (_, index) => bucketOf(key(`key ${index}`))))
    expect([...seen].toSorted((a, b) => a - b)).toEqual(Array.from({ length: BUCKETS }, (_, index) => index))
    expect(bucketOf(key('a'))).toBe(bucketOf(key('a')))
  })

  it('of records without a key are any', () => {
    const seen = new Set(Array.from({ length: 1_000 }, () => bucketOf({ topic: 't', key: null })))
    expect(seen.size).toBe(BUCKETS)
  })
})

it('a key has one lock, of few; a record without a key has none', () => {
  const lock = (text: string) => keyLock({ topic: 't', key: Buffer.from(text) })
  expect(lock('k')).toBe(lock('k'))
  expect(keyLock({ topic: 't', key: null })).toBeUndefined()
  expect(new Set(Array.from({ length: 20_000 }, (_, index) => lock(`${index}`))).size).toBe(1_024)
})
