import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import type { Codec } from './codec.ts'
import { DecodeError, EncodeError } from '../errors.ts'
import { json, SchemaError } from './json.ts'

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
  expectTypeOf(codec).toEqualTypeOf<Codec<{ at: unknown }, { at: Date }>>()
  expect(codec.decode(Buffer.from('{"at":"2026-01-01T00:00:00Z"}')).at).toEqual(new Date('2026-01-01T00:00:00Z'))
  expectTypeOf(json(v.object({ id: v.string() }))).toEqualTypeOf<Codec<{ id: string }>>()
  expectTypeOf(json(type({ id: 'string' }))).toEqualTypeOf<Codec<{ id: string }>>()
})

test('where a schema transforms, its input is sent and its output is read', () => {
  const at = z.object({ at: z.string().transform((text) => new Date(text)), n: z.number().default(3) })
  const codec = json(at)
  expectTypeOf(codec).toEqualTypeOf<Codec<{ at: string; n?: number | undefined }, { at: Date; n: number }>>()
  expect(codec.encode({ at: '2026-01-01T00:00:00Z' })!.toString()).toBe('{"at":"2026-01-01T00:00:00Z"}')
  expect(codec.decode(codec.encode({ at: '2026-01-01T00:00:00Z' }))).toEqual({
    at: new Date('2026-01-01T00:00:00Z'),
    n: 3,
  })
  // @ts-expect-error the output is not what is sent
  expect(() => codec.encode({ at: new Date() })).toThrow('expected string')
})

test('an EncodeError and a DecodeError have the issues of the schema', () => {
  const codec = json(z.object({ id: z.string() }))
  const issues = [expect.objectContaining({ path: ['id'] })]
  const cause = thrownBy(() => codec.encode({ id: 1 } as never))
  expect(cause).toBeInstanceOf(SchemaError)
  expect(new EncodeError('orders', 'value', 'json', cause)).toMatchObject({ issues })
  expect(new DecodeError({ topic: 'orders', partition: 0, offset: 7 }, 'value', 'json', cause)).toMatchObject({
    issues,
  })
  expect(new EncodeError('orders', 'value', 'json', new Error('m')).issues).toBeUndefined()
})

function thrownBy(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

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
