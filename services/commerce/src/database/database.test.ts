import { expect, it } from 'vitest'
import { isTransient } from './database.ts'

const coded = (code: string): Error => Object.assign(new Error('failed'), { code })

it.each(['08006', '40001', '40P01', '53300', '55P03', '57014', '57P01', '57P03', 'ECONNRESET', 'EAI_AGAIN'])(
  'tries a statement again after %s',
  (code) => expect(isTransient(coded(code))).toBe(true),
)

it.each(['23505', '22P02', '42P01', '28P01', 'EACCES'])('does not try a statement again after %s', (code) =>
  expect(isTransient(coded(code))).toBe(false),
)
