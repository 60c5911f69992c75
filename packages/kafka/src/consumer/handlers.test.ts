import { describe, expect, expectTypeOf, test } from 'vitest'
import { json } from '../codecs/json.ts'
import { topic } from '../record/topic.ts'
import type { Consumer } from './consumer.ts'
import { ConsumerRecord } from '../incoming/consumer-record.ts'
import { byEventType } from './handlers.ts'
import { openConsumer } from './testing/open-consumer.ts'
import type { HandlerContext } from './dispatch/invocation.ts'

const context = {} as HandlerContext

function record(type: string | null | undefined, value = 'v'): ConsumerRecord<null, string> {
  const headers =
    type === undefined ? [] : ([[Buffer.from('event-type'), type === null ? null : Buffer.from(type)]] as const)
  const wire = { offset: 7, timestampMs: 0, key: null, value: null, headers }
  return new ConsumerRecord('orders', 0, wire, null, value)
}

describe('handlers by type', () => {
  test('get the records of their type, and what they return is what the handler returns', () => {
    const handler = byEventType<ConsumerRecord>({ created: () => 'c', paid: () => 'p', default: () => 'd' })
    const types = ['created', 'paid', 'lost', undefined, null, 'default', '__proto__', 'toString']
    expect(types.map((type) => handler(record(type), context))).toEqual(['c', 'p', 'd', 'd', 'd', 'd', 'd', 'd'])
  })

  test.each([
    ['lost', 'lost', 'No handler takes the event type lost: orders/0 at offset 7'],
    [undefined, null, 'No event type is said: orders/0 at offset 7'],
    ['constructor', 'constructor', 'No handler takes the event type constructor: orders/0 at offset 7'],
  ])('without a default fail for %s', (type, eventType, message) => {
    const handler = byEventType<ConsumerRecord>({ created: () => 'c' })
    const facts = { code: 'event_type_unknown', retriable: false, topic: 'orders', partition: 0, offset: 7, eventType }
    expect(() => handler(record(type), context)).toThrow(expect.objectContaining({ ...facts, message }))
  })

  test('find the type in another header or by a function', () => {
    const byValue = byEventType<ConsumerRecord<null, string>>({ v: () => 1 }, ({ value }) => value)
    expect(byValue(record(undefined), context)).toBe(1)
    expect(() => byEventType<ConsumerRecord>({ c: () => 1 }, 'ce_type')(record('c'), context)).toThrow('event type')
  })

  test.each([
    ['handler', {}, undefined],
    ['handler.created', { created: 'x' }, undefined],
    ['eventType', { created: () => 1 }, 7],
    ['eventType', { created: () => 1 }, ''],
  ])('refuse a bad %s', (field, handlers, eventType) => {
    expect(() => byEventType(handlers as never, eventType as never)).toThrow(
      expect.objectContaining({ code: 'config_invalid', field }),
    )
  })
})

test('a consumer runs them, and refuses what makes no sense before it joins', async () => {
  const { broker, consumer, pass, settled } = await openConsumer({ partitions: 1 })
  const bad = (handler: unknown, options?: object) => consumer.run(handler as never, options as never)
  await expect(bad('x')).rejects.toMatchObject({ field: 'handler' })
  await expect(bad({}, {})).rejects.toMatchObject({ field: 'handler' })
  await expect(bad({ a: () => 1 }, { batch: true })).rejects.toMatchObject({ field: 'handler' })
  await expect(bad(() => 1, { eventType: 'x' })).rejects.toMatchObject({ field: 'eventType' })
  expect(consumer.inspect().state).toBe('open')
  broker.write('letters', 0, ['a', 'b', 'a'])
  broker.assign('letters', [0])
  const seen: string[] = []
  const running = consumer.run(
    { a: ({ offset }) => seen.push(`a${offset}`), b: ({ offset }) => seen.push(`b${offset}`) },
    { eventType: ({ value }) => value },
  )
  await pass(200)
  expect(seen).toEqual(['a0', 'b1', 'a2'])
  await settled(consumer.close())
  await running
})

test('a record of an unknown type fails at once, and is not tried again', async () => {
  const { broker, consumer, pass, hear } = await openConsumer({ partitions: 1, deadLetters: false })
  const failed = hear('handlerFailed')
  broker.write('letters', 0, ['a', 'b'])
  broker.assign('letters', [0])
  const running = consumer.run({ a: () => undefined }, { eventType: ({ value }) => value })
  const outcome = running.catch((error: unknown) => error)
  await pass(5_000)
  expect(await outcome).toMatchObject({
    code: 'handler_failed',
    attempts: 1,
    offset: 1,
    cause: { code: 'event_type_unknown', eventType: 'b' },
  })
  expect(failed).toEqual([])
  expect(broker.committedOf('letters', 0)).toBe(1)
})

test('handlers by type know the type of their record', () => {
  const orders = topic('orders', { value: json<{ total: number }>() })
  const check = (consumer: Consumer<typeof orders>) =>
    consumer.run({
      'order.created': (record) => expectTypeOf(record.value).toEqualTypeOf<{ total: number }>(),
      default: (record, { attempt }) => expectTypeOf([record.key, attempt]).toEqualTypeOf<(string | number | null)[]>(),
    })
  expect(check).toBeTypeOf('function')
})
