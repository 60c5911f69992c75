import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import type { Codec } from './codec.ts'
import { json } from './json.ts'

const sound = { id: 'a', lines: [{ amount: 1 }] }
const broken = { id: 'a', lines: [{ amount: 1 }, { amount: 'much' }] }

describe.each([
  ['zod', json(z.object({ id: z.string(), lines: z.array(z.object({ amount: z.number() })) }))],
  ['valibot', json(v.object({ id: v.string(), lines: v.array(v.object({ amount: v.number() })) }))],
  ['ArkType', json(type({ id: 'string', lines: type({ amount: 'number' }).array() }))],
])('json with a schema of %s', (_, codec) => {
  test('lets through what fits, both ways', () => {
    expect(codec.decode(codec.encode(sound))).toEqual(sound)
  })

  test('refuses what does not, both ways, and names the place', () => {
    expect(() => codec.encode(broken as never)).toThrow(/^lines\.1\.amount: .+/)
    expect(() => codec.decode(Buffer.from(JSON.stringify(broken)))).toThrow(/^lines\.1\.amount: .+/)
    expect(() => codec.decode(Buffer.from('{"lines":[]}'))).toThrow(/^id: .+/)
  })
})

test('what is read has the type that the schema gives, and is what the schema makes of it', () => {
  const codec = json(z.object({ at: z.coerce.date() }))
  expectTypeOf(codec).toEqualTypeOf<Codec<{ at: Date }>>()
  expect(codec.decode(Buffer.from('{"at":"2026-01-01T00:00:00Z"}')).at).toEqual(new Date('2026-01-01T00:00:00Z'))
  expectTypeOf(json(v.object({ id: v.string() }))).toEqualTypeOf<Codec<{ id: string }>>()
  expectTypeOf(json(type({ id: 'string' }))).toEqualTypeOf<Codec<{ id: string }>>()
})

test('a schema that takes its time is refused, not let through', () => {
  const slow = json(z.string().refine(async () => true))
  expect(() => slow.encode('a')).toThrow('it has to answer at once')
  expect(() =>
    json(
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => false),
      ),
    ).decode(Buffer.from('"a"')),
  ).toThrow('it has to answer at once')
})

function thenable(then: unknown): object {
  const made = {}
  Reflect.set(made, 'then', then)
  return made
}

const hostile = new Proxy(
  {},
  {
    get() {
      throw new Error('no')
    },
  },
)

test.each([
  ['a promise that rejects', () => Promise.reject(new Error('late'))],
  ['a thenable of its own', () => thenable((_: unknown, reject: (error: Error) => void) => reject(new Error('late')))],
  ['a thenable that throws', () => hostile],
])('a schema that answers with %s fails its record alone', async (_, validate) => {
  const codec = json({ '~standard': { version: 1, vendor: 'test', validate: validate as never } })
  expect(() => codec.encode('a')).toThrow(/promise|no/)
  expect(() => codec.decode(Buffer.from('"a"'))).toThrow(/promise|no/)
  // An unhandled rejection would fail the run.
  await new Promise((resolve) => setImmediate(resolve))
})

test.each([[{}], [null], ['schema'], [{ parse: () => 1 }]])('%j is no schema', (schema) => {
  expect(() => json(schema as never)).toThrow(expect.objectContaining({ code: 'config_invalid', field: 'schema' }))
})
