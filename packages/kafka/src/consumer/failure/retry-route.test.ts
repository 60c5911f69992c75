import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { describe, expect, test } from 'vitest'
import { bytes } from '../../codecs/bytes.ts'
import { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../events.ts'
import { behindRetry, LaneRetries, type Failure } from './failure-route.ts'
import { parseConsumerOptions, type ConsumerOptions, type HandlerRetryOptions } from '../options.ts'
import { PostponedError } from '../errors.ts'
import { AssignedPartition } from '../partition.ts'
import { topic } from '../../record/topic.ts'
import type { DeadLetterWriter } from '../../dead-letters/dead-letter-writer.ts'
import type { DeadLetterRecord } from '../../failure/dead-letter-record.ts'
import { RetryBacklog } from './retry-backlog.ts'
import { RetryRoute } from './retry-route.ts'

const orders = topic('orders', { key: bytes, value: bytes })
const parse = (options: Partial<ConsumerOptions>) =>
  parseConsumerOptions({ group: 'g', topics: [orders], order: 'key', ...options })

function open(retry: HandlerRetryOptions, write: (record: DeadLetterRecord) => Promise<void> = async () => {}) {
  const settings = parse({ retry })
  const events = new Emitter<ConsumerEvents>()
  const told: unknown[] = []
  events.on('handlerFailed', (event) => told.push(event))
  const written: DeadLetterRecord[] = []
  const writer = {
    write: async (record: DeadLetterRecord) => {
      written.push(record)
      await write(record)
    },
  } as unknown as DeadLetterWriter
  const inner = new LaneRetries(settings)
  const route = new RetryRoute({ settings, clock: new ManualClock(), events, inner, writer })
  const partition = new AssignedPartition(orders, 'an-id', 3, 1)
  partition.retries = new RetryBacklog(new AssignedPartition(topic('orders.g.retry', { value: bytes }), 'other', 3, 2))
  return { route, partition, written, told, backlog: partition.retries }
}

const key = Buffer.from('k')
const record = new ConsumerRecord(
  'orders',
  3,
  { offset: 42, timestampMs: 1_000, key, value: Buffer.from('v'), headers: undefined },
  key,
  Buffer.from('v'),
)
const failed = (partition: AssignedPartition, attempt: number, error: unknown = new Error('no')): Failure => ({
  partition,
  records: [record],
  attempt,
  postponed: 0,
  error,
})
const { signal } = new AbortController()
const header = (written: DeadLetterRecord | undefined, name: string): string =>
  String(new Map(written!.headers as Iterable<readonly [string, string]>).get(name))

describe('the route of what is to be tried again', () => {
  const retry = { attempts: 4, initialMs: 100, topicAfterMs: 200 }

  test('leads through the lane for a short while, through the topic for a long one, and out at the end', async () => {
    const { route, partition, written, told, backlog } = open(retry)
    expect(route.next(failed(partition, 1))).toEqual({ again: true, delayMs: 100 })
    expect(route.next(failed(partition, 2))).toEqual({ again: false })
    await route.divert(failed(partition, 2), signal)
    expect(written).toMatchObject([{ topic: 'orders', partition: 3, key, value: Buffer.from('v') }])
    expect(header(written[0], 'retry-count')).toBe('2')
    expect(header(written[0], 'not-before')).toBe(String(Math.floor(new ManualClock().now() + 200)))
    expect(told).toMatchObject([{ topic: 'orders', partition: 3, offset: 42, attempt: 2, retryInMs: 200 }])
    expect(backlog.has(key)).toBe(true)
    await expect(route.divert(failed(partition, 4), signal)).rejects.toMatchObject({ code: 'handler_failed' })
    expect(written).toHaveLength(1)
  })

  test('keeps in its lane what is put off, however long', () => {
    const { route, partition } = open({ ...retry, maxMs: 60_000 })
    const putOff = { ...failed(partition, 4, new PostponedError('away')), postponed: 30 }
    expect(route.next(putOff)).toEqual({ again: true, isPostponed: true, delayMs: 60_000 })
  })

  test('keeps what came from the topic in its lane there', () => {
    const { route, backlog } = open(retry)
    expect(route.next(failed(backlog.partition, 3))).toEqual({ again: true, delayMs: 400 })
    expect(route.next(failed(backlog.partition, 4))).toEqual({ again: false })
  })

  test('leads what is behind another of its key there at once, and tells of no failure', async () => {
    const { route, partition, written, told, backlog } = open(retry)
    expect(route.next(failed(partition, 1, behindRetry))).toEqual({ again: false })
    await route.divert(failed(partition, 1, behindRetry), signal)
    expect(header(written[0], 'retry-count')).toBe('0')
    expect(header(written[0], 'not-before')).toBe(String(Math.floor(new ManualClock().now())))
    expect([told, backlog.has(key)]).toEqual([[], true])
  })

  test('counts a key before it is written, and no more where it could not be', async () => {
    const during: boolean[] = []
    const { route, partition, backlog } = open(retry, async () => {
      during.push(backlog.has(key))
      throw new Error('taken away')
    })
    await expect(route.divert(failed(partition, 3), signal)).rejects.toThrow('taken away')
    expect([during, backlog.has(key)]).toEqual([[true], false])
  })
})

test.each([
  [{ order: 'partition', retry: { topicAfterMs: 1 } }],
  [{ retry: { topicAfterMs: -1 } }],
  [{ retry: { topicAfterMs: '1s' as never } }],
] as Partial<ConsumerOptions>[][])('a setting that makes no sense is refused by name: %j', (options) => {
  expect(() => parse(options)).toThrow(expect.objectContaining({ field: 'retry.topicAfterMs' }))
})

test('without the setting nothing goes to the topic', () => {
  expect(parse({}).retryTopicAfterMs).toBeNull()
})
