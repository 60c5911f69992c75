import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { describe, expect, test } from 'vitest'
import { bytes } from '../../codecs/bytes.ts'
import { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../events.ts'
import { type Failure, LaneRetries } from './failure-route.ts'
import { type ConsumerOptions, parseConsumerOptions } from '../options.ts'
import { AssignedPartition } from '../partition.ts'
import type { FetchedBatch } from '../../incoming/fetched-batch.ts'
import { topic } from '../../record/topic.ts'
import { DeadLetterRoute } from './dead-letter-route.ts'
import type { DeadLetterWriter } from '../../dead-letters/dead-letter-writer.ts'
import type { DeadLetterRecord } from '../../failure/dead-letter-record.ts'
import type { LetterOptions } from '../../dead-letters/deliver-letter.ts'

const orders = topic('orders', { key: bytes, value: bytes })
const batch = { header: { compression: 'zstd', leaderEpoch: 1 } } as unknown as FetchedBatch
const value = Buffer.from('v')
const record = new ConsumerRecord(
  'orders',
  3,
  { offset: 42, timestampMs: 1_000, key: null, value, headers: undefined },
  null,
  value,
  batch,
)
const failed = (error: unknown): Failure => ({
  partition: new AssignedPartition(orders, 'an-id', 3, 1),
  records: [record],
  attempt: 1,
  postponed: 0,
  error,
})

function open(options: Partial<ConsumerOptions> = {}) {
  const settings = parseConsumerOptions({ group: 'g', topics: [orders], ...options })
  const events = new Emitter<ConsumerEvents>()
  const heard: [string, unknown][] = []
  for (const name of ['deadLettered', 'error'] as const) events.on(name, (event) => heard.push([name, event]))
  const written: [DeadLetterRecord, LetterOptions][] = []
  const write = async (letter: DeadLetterRecord, how: LetterOptions) => void written.push([letter, how])
  const writer = { write } as unknown as DeadLetterWriter
  return {
    route: new DeadLetterRoute({ settings, clock: new ManualClock(), events, writer }),
    written,
    heard,
    settings,
  }
}

const { signal } = new AbortController()
const trap = (): never => {
  throw new Error('a trap')
}
const revoked = Proxy.revocable({}, {})
revoked.revoke()
const oddities: [string, unknown][] = [
  ['an object without a prototype', Object.create(null)],
  ['an object whose toString throws', { toString: trap }],
  ['a proxy that throws at everything', new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap })],
  ['a proxy that was revoked', revoked.proxy],
  ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: trap })],
  ['nothing', undefined],
  ['a symbol', Symbol('s')],
]

describe.each(oddities)('%s, thrown by a handler', (_, thrown) => {
  test('becomes a dead letter', async () => {
    const { route, written } = open({ retry: { attempts: 2 } })
    expect(route.next(failed(thrown))).toMatchObject({ again: true })
    await route.divert(failed(thrown), signal)
    expect(written).toHaveLength(1)
  })

  test('stops a consumer without dead letters with an error that can be shown', async () => {
    const { settings } = open()
    const error = await new LaneRetries(settings).divert(failed(thrown)).catch((one: unknown) => one)
    expect(error).toMatchObject({ code: 'handler_failed', topic: 'orders', offset: 42 })
    expect(String(error)).toContain('orders/3')
  })

  test('is no obstacle where it is thrown by a listener', async () => {
    const onDeadLetter = (): never => {
      throw thrown
    }
    const { route, written, heard } = open({ onDeadLetter })
    await route.divert(failed(new Error('no')), signal)
    written[0]![1].onVisible!({ to: 'orders.dlq', omitted: [] })
    await new Promise((resolve) => setImmediate(resolve))
    expect(heard.map(([name]) => name)).toEqual(['deadLettered', 'error'])
  })
})

test('a judgement that throws is a warning, and the record is tried again', async () => {
  const warned = new Promise((resolve) => process.once('warning', resolve))
  const isRetryable = (error: unknown): boolean => (error as { code: string }).code === 'again'
  const { route } = open({ retry: { attempts: 2, isRetryable } })
  expect(route.next(failed(undefined))).toMatchObject({ again: true })
  expect(String(await warned)).toContain('retry.isRetryable')
})

test('a letter has the compression of the batch of its record, and is told when it is visible', async () => {
  const { route, written, heard } = open({ deadLetters: { oversize: 'stop' } })
  await route.divert(failed(new Error('no')), signal)
  const [letter, how] = written[0]!
  expect([letter.compression, how.oversize]).toEqual(['zstd', 'stop'])
  expect(heard).toEqual([])
  how.onVisible!({ to: 'orders.dlq', omitted: ['value'] })
  expect(heard).toMatchObject([['deadLettered', { offset: 42, to: 'orders.dlq', omitted: ['value'] }]])
})

test.each([
  ['deadLetters', 7],
  ['deadLetters.oversize', { oversize: 'drop' }],
  ['deadLetters.size', { size: 1 }],
])('%s that makes no sense is refused by name', (field, deadLetters) => {
  expect(() => open({ deadLetters: deadLetters as never })).toThrow(expect.objectContaining({ code: 'config_invalid' }))
  expect(() => open({ deadLetters: deadLetters as never })).toThrow(field.split('.').at(-1)!)
})
