import { describe, expect, it } from 'vitest'
import { folderCirclesIn, specifiersOf, violationsIn } from './import-law.ts'

const violations = (path: string, text: string) => violationsIn([{ path, text }])

describe('the one-way imports', () => {
  it('finds every way to name a module', () => {
    const text = [
      `import { a } from '@sluice/flow'`,
      `import type { b } from "kafkajs"`,
      `import 'side-effect'`,
      `export * from './c.ts'`,
      `import {\n  d,\n} from 'node:fs'`,
      `const e = await import('@sluice/stack')`,
      `const f = import.meta.resolve('@sluice/commerce/generator')`,
    ].join('\n')
    expect(specifiersOf(text)).toEqual([
      '@sluice/flow',
      'kafkajs',
      'side-effect',
      './c.ts',
      'node:fs',
      '@sluice/stack',
      '@sluice/commerce/generator',
    ])
  })

  it.each([
    ['packages/kafka/src/x.ts', `import { Gate } from '@sluice/flow'`],
    ['packages/kafka/src/driver/x.ts', `import { ConnectionPool } from '@platformatic/kafka'`],
    ['bench/src/x.ts', `import { Kafka } from 'kafkajs'`],
    ['services/commerce/src/x.ts', `import { Kafka } from '@sluice/kafka'`],
    ['packages/cli/src/x.ts', `import.meta.resolve('@sluice/commerce/generator')`],
    ['packages/flow/src/gate/x.ts', `import { Ring } from '../ring.ts'`],
    ['packages/kafka/src/x.ts', `import { Ring } from '@sluice/flow/internal'`],
    ['tests/system/x.test.ts', `import { startStack } from '@sluice/stack'`],
  ])('%s may have: %s', (path, text) => expect(violations(path, text)).toEqual([]))

  it.each([
    ['packages/flow/src/x.ts', `import { Kafka } from '@sluice/kafka'`],
    ['packages/kafka/src/x.ts', `import { startStack } from '@sluice/stack'`],
    ['packages/kafka/src/x.ts', `import { ConnectionPool } from '@platformatic/kafka'`],
    ['packages/stack/src/x.ts', `import { Ring } from '@sluice/flow'`],
    ['packages/stack/src/x.ts', `import { Ring } from '@sluice/flow/internal'`],
    ['packages/kafka/src/x.ts', `import { Ring } from '../../flow/src/ring.ts'`],
    ['packages/kafka/src/x.ts', `import { Ring } from '@sluice/flow/src/ring.ts'`],
    ['services/commerce/src/x.ts', `import { startStack } from '@sluice/stack'`],
    ['packages/kafka/src/x.ts', `await import('@sluice/commerce')`],
    ['packages/kafka/src/driver/x.ts', `import { Kafka } from 'kafkajs'`],
  ])('%s may not have: %s', (path, text) => expect(violations(path, text)).toHaveLength(1))
})

describe('the folders of a package', () => {
  const file = (path: string, text: string) => ({ path: `packages/kafka/src/${path}`, text })

  it('may import each other one way, and files beside them both ways', () => {
    const files = [
      file('consumer/a.ts', `import { b } from '../reader/b.ts'\nimport { c } from '../c.ts'`),
      file('consumer/deep/d.ts', `import { a } from '../a.ts'`),
      file('reader/b.ts', `import { c } from '../c.ts'`),
      file('c.ts', `import type { A } from './consumer/a.ts'`),
    ]
    expect(folderCirclesIn(files)).toEqual([])
  })

  it('form no circle, also not by their types, nor over a third one', () => {
    const files = [
      file('consumer/a.ts', `import type { B } from '../reader/b.ts'`),
      file('reader/deep/b.ts', `import { c } from '../../fetch/c.ts'`),
      file('fetch/c.ts', `export type { A } from '../consumer/a.ts'`),
      file('record/d.ts', `import { c } from '../fetch/c.ts'`),
      // A test may look at everything.
      file('batch/e.test.ts', `import { d } from '../record/d.ts'`),
      file('record/f.ts', `import { e } from '../batch/e.ts'`),
    ]
    const [consumer, fetch, reader] = ['consumer', 'fetch', 'reader'].map((name) => `packages/kafka/src/${name}`)
    expect(folderCirclesIn(files)).toEqual([`folders import each other: ${consumer} <-> ${fetch} <-> ${reader}`])
  })
})
