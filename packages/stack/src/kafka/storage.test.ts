import { expect, it } from 'vitest'
import { javaArguments } from './storage.ts'

it('writes arguments as the file that java reads them from, whatever they hold', () => {
  expect(javaArguments(['-cp', 'a b:c', 'say "x"', 'back\\slash', 'two\nlines'])).toBe(
    '"-cp"\n"a b:c"\n"say \\"x\\""\n"back\\\\slash"\n"two\\nlines"\n',
  )
})
