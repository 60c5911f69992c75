import { expect, test } from 'vitest'
import { licenceViolations } from './licences.ts'

test('a licence that is not on the list is refused, and so is none', () => {
  const packages = {
    '': { license: 'Apache-2.0' },
    'packages/kafka': {},
    'node_modules/@sluice/kafka': { link: true },
    'node_modules/a': { license: 'MIT' },
    'node_modules/b': { license: 'GPL-3.0' },
    'node_modules/b/node_modules/@c/d': {},
  }
  expect(licenceViolations({ packages })).toEqual([
    'b: GPL-3.0 is not on the list of licences.ts',
    '@c/d: no licence is not on the list of licences.ts',
  ])
})

test('the licence of a tool may be that of files alone, the licence of what users install may not', () => {
  const locked = (dev: boolean) => ({ packages: { 'node_modules/tool': { license: 'MPL-2.0', dev } } })
  expect(licenceViolations(locked(true))).toEqual([])
  expect(licenceViolations(locked(false))).toHaveLength(1)
})
