import { expect, it } from 'vitest'
import { explained, tablesOf } from './tables.ts'

it('names tables in the search path, or in the schema that was asked for, and quotes whatever was asked for', () => {
  expect(tablesOf({}).offsets).toBe('"sluice_offsets"')
  expect(tablesOf({ schema: 'of "me"', prefix: '' }).outbox).toBe('"of ""me"""."outbox"')
})

it.each([
  ['schema', { schema: '' }],
  ['schema', { schema: 'x'.repeat(64) }],
  ['schema', { schema: 'a\0b' }],
  ['prefix', { prefix: 'x'.repeat(33) }],
])('refuses a %s that PostgreSQL would cut or not take', (field, options) =>
  expect(() => tablesOf(options)).toThrow(expect.objectContaining({ code: 'config_invalid', field })),
)

it('says of a table that is missing what to do, and of other errors what they say', () => {
  const missing = Object.assign(new Error('relation does not exist'), { code: '42P01' })
  expect(explained(missing, 't')).toMatchObject({ code: 'tables_missing', table: 't' })
  const other = new Error('other')
  expect(explained(other, 't')).toBe(other)
})
