import { describe, expect, it } from 'vitest'
import { incompleteOptions } from './option-docs.ts'
import { readPublicApi } from './public-api.ts'
import { Declarations } from './testing/libraries.ts'

function check(members: string, names: Readonly<Record<string, string>> = {}): string[] {
  using declarations = new Declarations({ 'a/index.d.ts': `export interface SendOptions {\n${members}\n}` })
  const library = { name: '@sluice/kafka', entry: declarations.path('a/index.d.ts'), beside: [] }
  return incompleteOptions(readPublicApi([library]), names)
}

describe('the docstring of an option', () => {
  it.each([
    ['/** From 1, default 5. */ readonly waitMs?: number'],
    ['/** At least 1. */ readonly waitMs: number'],
    ['/** Default none. */ readonly name?: string'],
    ['readonly wait: {\n/** 1 to 9, default 1. */ readonly times?: number }'],
  ])('says enough: %s', (member) => {
    expect(check(member)).toEqual([])
  })

  it.each([
    ['readonly waitMs: number', 'SendOptions.waitMs does not say its range'],
    ['/** From 1. */ readonly waitMs?: number', 'SendOptions.waitMs does not say its default'],
    ['readonly wait: { readonly times: number }', 'SendOptions.wait.times does not say its range'],
  ])('says too little: %s', (member, objection) => {
    expect(check(member)).toEqual([expect.stringContaining(objection)])
  })

  it('says what Kafka calls it', () => {
    const names = { 'SendOptions.linger': 'linger.ms' }
    expect(check('/** Kafka: `linger.ms`. */ linger: string', names)).toEqual([])
    expect(check('/** How long. */ linger: string', names)).toEqual([expect.stringContaining('`linger.ms`')])
    expect(check('/** How long. */ wait: string', names)).toEqual([expect.stringContaining('no option')])
  })
})
