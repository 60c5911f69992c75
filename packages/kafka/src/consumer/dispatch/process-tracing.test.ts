import { setImmediate as turn } from 'node:timers/promises'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { encodeBatch } from '../../batch/encode.ts'
import { layout } from '../../batch/layout.ts'
import type { ConsumerOptions } from '../options.ts'
import { openConsumer } from '../testing/open-consumer.ts'
import type { letters } from '../testing/open-session.ts'
import type { SimulatedBroker } from '../testing/simulated-broker.ts'
import { recordSpans, within } from '../../tracing/testing/record-spans.ts'

const traceOf = (digit: string): string => digit.repeat(32)
const parentOf = (trace: string, span = '1'): string => `00-${traceOf(trace)}-${span.repeat(16)}-01`

/** One batch; each record with the `traceparent` that is given, or without headers. */
function write(broker: SimulatedBroker, parents: readonly (string | null)[]): void {
  const records = parents.map((parent, index) => ({
    key: Buffer.from(`k${index}`),
    value: Buffer.from(`v${index}`),
    headers: parent === null ? undefined : [[Buffer.from('traceparent'), Buffer.from(parent)] as const],
    timestampMs: 0,
  }))
  const bytes = encodeBatch(records, 'none', null)
  bytes.writeInt32BE(0, layout.leaderEpoch)
  broker.writeBytes('letters', 0, records.length, bytes)
}

type RunOptions = Partial<ConsumerOptions<typeof letters>> & { batch?: boolean; onFailed?: () => unknown }

async function running(
  parents: readonly (string | null)[],
  handler: (...args: never[]) => unknown,
  { batch = false, onFailed = () => {}, ...options }: RunOptions = {},
) {
  const retry = { attempts: 1, initialMs: 10 }
  const opened = await openConsumer({ partitions: 1, deadLetters: false, retry, ...options })
  opened.consumer.on('handlerFailed', onFailed)
  write(opened.broker, parents)
  opened.broker.assign('letters', [0])
  const ended = opened.consumer.run(handler as never, { batch } as never).catch((error: unknown) => error)
  await opened.pass(1_000)
  return { ...opened, close: async () => (await opened.settled(opened.consumer.close()), await ended) }
}

test('a handler runs within a span of the trace that its record carries, also after it has waited', async () => {
  using spans = recordSpans()
  const active: unknown[] = []
  const { close } = await running([parentOf('a')], async () => {
    await turn()
    active.push(trace.getActiveSpan()?.spanContext())
  })
  await close()
  const [span] = spans.ended()
  expect(active).toEqual([span!.spanContext()])
  expect(span).toMatchObject({
    name: 'process letters',
    kind: SpanKind.CONSUMER,
    parentSpanContext: { traceId: traceOf('a'), spanId: '1'.repeat(16) },
    status: { code: SpanStatusCode.UNSET },
    links: [],
  })
  expect(span!.attributes).toEqual({
    'messaging.system': 'kafka',
    'messaging.operation.type': 'process',
    'messaging.operation.name': 'process',
    'messaging.destination.name': 'letters',
    'messaging.destination.partition.id': '0',
    'messaging.consumer.group.name': 'readers',
    'messaging.kafka.offset': 0,
    'messaging.kafka.message.key': 'k0',
    'sluice.attempt': 1,
  })
})

test('a record without a trace begins one, also where the consumer was run within a span', async () => {
  using spans = recordSpans()
  await within('startup', async () => {
    const { close } = await running([null, null], () => trace.getActiveSpan()!.setAttribute('seen', true))
    await close()
  })
  const [one, two] = spans.ended('process letters')
  expect([one!.parentSpanContext, two!.parentSpanContext]).toEqual([undefined, undefined])
  expect(one!.spanContext().traceId).not.toBe(two!.spanContext().traceId)
  expect(one!.attributes['seen']).toBe(true)
})

test('a batch is one span with a link to each sender', async () => {
  using spans = recordSpans()
  const parents = [parentOf('a'), null, parentOf('b', '2'), parentOf('b', '2')]
  const { close } = await running(parents, () => undefined, { batch: true })
  await close()
  const [span, ...others] = spans.ended()
  expect(others).toEqual([])
  expect(span!.parentSpanContext).toBeUndefined()
  expect(span!.links.map(({ context: { traceId, spanId } }) => [traceId, spanId])).toEqual([
    [traceOf('a'), '1'.repeat(16)],
    [traceOf('b'), '2'.repeat(16)],
  ])
  expect(span!.attributes).toMatchObject({
    'messaging.batch.message_count': 4,
    'messaging.destination.name': 'letters',
  })
  expect(span!.attributes).not.toHaveProperty('messaging.kafka.offset')
})

test('a batch links to 128 senders at most', async () => {
  using spans = recordSpans()
  const parents = Array.from(
    { length: 130 },
    (_, index) => `00-${traceOf('a')}-${String(index + 1).padStart(16, '0')}-01`,
  )
  const { close } = await running(parents, () => undefined, { batch: true, maxPollRecords: 200 })
  await close()
  expect(spans.ended()[0]!.links).toHaveLength(128)
  expect(spans.ended()[0]!.attributes['messaging.batch.message_count']).toBe(130)
})

test('each attempt is a span of its own, and those that fail say why', async () => {
  using spans = recordSpans()
  const refused = Object.assign(new TypeError('card refused'), { code: 'card_refused' })
  const handler = (_: unknown, { attempt }: { attempt: number }) => {
    if (attempt === 1) throw refused
    if (attempt === 2) return Promise.reject(new RangeError('again'))
    return undefined
  }
  const active: (string | undefined)[] = []
  const onFailed = () => active.push(trace.getActiveSpan()?.spanContext().spanId)
  const { close } = await running([parentOf('a')], handler, { retry: { attempts: 3, initialMs: 10 }, onFailed })
  await close()
  const told = spans
    .ended()
    .map(({ attributes, status, events }) => [
      attributes['sluice.attempt'],
      attributes['error.type'],
      status.message,
      events.map(({ attributes }) => attributes?.['exception.message']),
    ])
  expect(told).toEqual([
    [1, 'card_refused', 'card refused', ['card refused']],
    [2, 'RangeError', 'again', ['again']],
    [3, undefined, undefined, []],
  ])
  // What a listener logs belongs to the attempt.
  expect(active).toEqual(
    spans
      .ended()
      .slice(0, 2)
      .map((span) => span.spanContext().spanId),
  )
  expect(spans.ended().every(({ parentSpanContext }) => parentSpanContext?.traceId === traceOf('a'))).toBe(true)
})

const trap = (): never => {
  throw new Error('a trap')
}

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['a text', 'no'],
  ['a proxy that throws at everything', new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap })],
])('a handler that throws %s fails its span', async (_, thrown) => {
  using spans = recordSpans()
  const { close, consumer } = await running([parentOf('a')], () => {
    throw thrown
  })
  expect(await close()).toMatchObject({ code: 'handler_failed' })
  expect(consumer.inspect().state).toBe('closed')
  expect(spans.ended()[0]!.status.code).toBe(SpanStatusCode.ERROR)
})

test('a handler that is given up has its span ended by then', async () => {
  using spans = recordSpans()
  const limits = { handlerTimeoutMs: 100, abandonAfterMs: 100 }
  let settle = (): void => {}
  const handler = () => new Promise<void>((resolve) => (settle = resolve))
  const { close, pass } = await running([parentOf('a')], handler, limits)
  expect(spans.ended()).toMatchObject([{ attributes: { 'error.type': 'handler_timed_out' } }])
  settle()
  await pass(100)
  await close()
  expect(spans.ended()).toHaveLength(1)
})

test('an element of a stream is processed until it is acked', async () => {
  using spans = recordSpans()
  const { broker, consumer, settled } = await openConsumer({ partitions: 1 })
  write(broker, [parentOf('a')])
  broker.assign('letters', [0])
  const stream = consumer.stream()
  const { value } = await settled(stream.next())
  expect(spans.ended()).toEqual([])
  value!.ack()
  await settled(stream.return())
  expect(spans.ended()).toMatchObject([{ name: 'process letters', parentSpanContext: { traceId: traceOf('a') } }])
})

test('nothing is traced with `tracing: false`, nor where no SDK is registered', async () => {
  const active: unknown[] = []
  const handler = () => active.push(trace.getActiveSpan())
  const without = await running([parentOf('a')], handler)
  await without.close()
  using spans = recordSpans()
  const off = await running([parentOf('a')], handler, { tracing: false })
  await off.close()
  expect(active).toEqual([undefined, undefined])
  expect(spans.ended()).toEqual([])
})
