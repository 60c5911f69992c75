import { describe, expect, it } from 'vitest'
import { specifiersOf, violationsIn } from './import-law.ts'

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
    ['tests/system/x.test.ts', `import { startStack } from '@sluice/stack'`],
  ])('%s may have: %s', (path, text) => expect(violations(path, text)).toEqual([]))

  it.each([
    ['packages/flow/src/x.ts', `import { Kafka } from '@sluice/kafka'`],
    ['packages/kafka/src/x.ts', `import { startStack } from '@sluice/stack'`],
    ['packages/kafka/src/x.ts', `import { ConnectionPool } from '@platformatic/kafka'`],
    ['packages/stack/src/x.ts', `import { Ring } from '@sluice/flow'`],
    ['packages/kafka/src/x.ts', `import { Ring } from '../../flow/src/ring.ts'`],
    ['packages/kafka/src/x.ts', `import { Ring } from '@sluice/flow/src/ring.ts'`],
    ['services/commerce/src/x.ts', `import { startStack } from '@sluice/stack'`],
    ['packages/kafka/src/x.ts', `await import('@sluice/commerce')`],
    ['packages/kafka/src/driver/x.ts', `import { Kafka } from 'kafkajs'`],
  ])('%s may not have: %s', (path, text) => expect(violations(path, text)).toHaveLength(1))
})
