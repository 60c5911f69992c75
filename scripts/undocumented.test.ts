import { describe, expect, it } from 'vitest'
import { readPublicApi } from './public-api.ts'
import { Declarations } from './testing/libraries.ts'
import { undocumented } from './undocumented.ts'

function check(text: string): string[] {
  using declarations = new Declarations({ 'a/index.d.ts': text })
  return undocumented(readPublicApi([{ name: 'a', entry: declarations.path('a/index.d.ts'), beside: [] }]))
}

describe('what has no docstring', () => {
  it('is found among exports and their public members', () => {
    const found = check(`
      export interface Options {
        readonly limit: number
      }
      /** Text. */
      export declare class Gate {
        open(): void
        /** Text. */
        close(): void
      }
      export declare const gate: Gate`)
    expect(found).toEqual(
      ['Options', 'Options.limit', 'Gate.open', 'gate'].map((name) => `a: ${name} has no docstring`),
    )
  })

  it('is not a private member, one that explains itself, nor an overload beside one that has it', () => {
    const found = check(`
      /** Text. */
      export declare class Gate {
        #own
        private other
        constructor()
        readonly topic: string
        [Symbol.asyncDispose](): Promise<void>
        open(): void
        /** Text. */
        open(late: boolean): void
      }
      /** Text. */
      export declare function gate(): Gate
      export declare function gate(late: boolean): Gate`)
    expect(found).toEqual([])
  })
})
