import { ConfigError } from '@sluice/flow'
import { expect, test } from 'vitest'
import { text } from '../codecs/text.ts'
import { topic } from '../record/topic.ts'
import { parsePipeOptions, type PipeOptions } from './options.ts'

const [from, to] = [topic('a', { value: text }), topic('b', { value: text })]
const least = { group: 'g', from, to, handler: () => null }
type Options = PipeOptions<typeof from, typeof to>

test('a pipe commits often, reads what is committed, and is named after group and instance', () => {
  const { transaction, consumer, maxOutputs } = parsePipeOptions<typeof from, typeof to>(least)
  expect(transaction).toEqual({
    transactionalId: 'g.default',
    timeoutMs: 10_000,
    tracing: true,
    compression: 'lz4',
    batchBytes: 262_144,
  })
  expect(consumer).toMatchObject({ topics: [from], commitIntervalMs: 100, isolation: 'read_committed' })
  expect(consumer.gate).toEqual({ maxRecords: 10_000 })
  expect(maxOutputs).toBe(2_000)
  const named = (options: Partial<Options>): string =>
    parsePipeOptions<typeof from, typeof to>({ ...least, ...options }).transaction.transactionalId
  expect(named({ instanceId: 'i' })).toBe('g.i')
  expect(named({ instanceId: 'i', instanceName: 'n' })).toBe('g.n')
  expect(named({ transactionalId: 't' })).toBe('t')
})

test.each<[string, unknown]>([
  ['from', { from: 'a' }],
  ['to', { to: 'b' }],
  ['handler', { handler: 'none' }],
  ['maxOutputs', { maxOutputs: 0 }],
  ['transactionTimeoutMs', { transactionTimeoutMs: 10 }],
  ['transactionalId', { transactionalId: '' }],
  ['isolation', { isolation: 'read_uncommitted' }],
  ['deadLetters', { deadLetters: false }],
  ['topics', { topics: [from] }],
])('%s that makes no sense is refused by name', (field, options) => {
  const parse = (): unknown => parsePipeOptions({ ...least, ...(options as Partial<Options>) })
  expect(parse).toThrow(expect.objectContaining({ field, name: ConfigError.name }))
})
