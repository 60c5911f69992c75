import { describe, expect, it } from 'vitest'
import { forgottenExports } from './forgotten-exports.ts'
import { readPublicApi } from './public-api.ts'
import { Declarations } from './testing/libraries.ts'

/** Checks a library `a` of these declarations; `b` is one whose users import `a` as well. */
function check(files: Readonly<Record<string, string>>): string[] {
  using declarations = new Declarations(files)
  const libraries = [{ name: 'a', entry: declarations.path('a/index.d.ts'), beside: [] }]
  const b = { name: 'b', entry: declarations.path('b/index.d.ts'), beside: ['a'] }
  const api = readPublicApi('b/index.d.ts' in files ? [...libraries, b] : libraries)
  return forgottenExports(api, declarations.root)
}

describe('types that a library forgets to export', () => {
  it.each([
    ['a parameter', 'export declare function f(inner: Inner): void'],
    ['a base', 'export interface Outer extends Inner {}'],
    ['a type argument', 'export type Outer = Promise<Inner>'],
    ['a public member', 'export declare class Outer { inner(): Inner }'],
    ['an inferred type', `export declare class Outer { inspect(): { x: import('./inner').Inner } }`],
  ])('are found as %s', (_, text) => {
    const found = check({
      'a/index.d.ts': `import type { Inner } from './inner'\n${text}`,
      'a/inner.d.ts': 'export interface Inner { x: number }',
    })
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^a does not export Inner \(a\/inner\.d\.ts\), which \w+ names/)
  })

  it('are not those that it exports, nor those of private members', () => {
    const found = check({
      'a/index.d.ts': `
        import type { Secret } from './inner'
        export type { Inner as Renamed } from './inner'
        import type { Inner } from './inner'
        export declare class Outer<T> { #own: Secret; private other: Secret; inner(of: T): Inner }`,
      'a/inner.d.ts': 'export interface Inner { x: number }\nexport interface Secret {}',
    })
    expect(found).toEqual([])
  })

  it('are not those of a library that its users import themselves', () => {
    const files = {
      'a/index.d.ts': `export type { Inner } from './inner'`,
      'a/inner.d.ts': 'export interface Inner {}\nexport interface Hidden {}',
    }
    expect(check({ ...files, 'b/index.d.ts': `export declare const x: import('../a/inner').Inner` })).toEqual([])
    const found = check({ ...files, 'b/index.d.ts': `export declare const x: import('../a/inner').Hidden` })
    expect(found).toEqual([expect.stringContaining('b does not export Hidden')])
  })
})
