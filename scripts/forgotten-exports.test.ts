import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { forgottenExports } from './forgotten-exports.ts'
import { readPublicApi } from './public-api.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-exports-'))
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Checks a library `a` of these declarations; `b` is one whose users import `a` as well. */
function check(files: Readonly<Record<string, string>>): string[] {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const libraries = [{ name: 'a', entry: join(root, 'a/index.d.ts'), beside: [] }]
  const b = { name: 'b', entry: join(root, 'b/index.d.ts'), beside: ['a'] }
  return forgottenExports(readPublicApi('b/index.d.ts' in files ? [...libraries, b] : libraries), root)
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
