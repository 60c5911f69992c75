import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { HeadersInput, OutgoingRecord } from '../record.ts'
import { AddedHeaders } from './added-headers.ts'
import { encodeRecord } from './encode-record.ts'
import { parseProducerOptions } from './options.ts'
import type { ProducerOptions } from './options.ts'
import { letters, openProducer } from './testing/open-producer.ts'

function headersOf(
  record: Partial<OutgoingRecord<string, string>>,
  addHeaders: ProducerOptions['addHeaders'] = true,
): [string, string | undefined][] {
  const added = new AddedHeaders(parseProducerOptions({ addHeaders }).addHeaders)
  const encodeContext = { maxRecordBytes: 10_000, nowMs: 1_234, added, span: undefined }
  const { headers = [] } = encodeRecord(letters, { value: 'v', ...record }, encodeContext)
  return headers.map(([name, value]) => [String(name), value?.toString()])
}

const hex32 = expect.stringMatching(/^[\da-f]{32}$/) as string

describe('headers that are added', () => {
  test('are a trace id of its own and the time, behind those of the record', () => {
    expect(headersOf({ headers: { own: '1' } })).toEqual([
      ['own', '1'],
      ['trace-id', hex32],
      ['timestamp', '1234'],
    ])
    const ids = new Set(Array.from({ length: 1_000 }, () => headersOf({})[0]![1]))
    expect(ids.size).toBe(1_000)
  })

  test.each<[string, HeadersInput]>([
    ['an object', { 'trace-id': 'mine', timestamp: 'yesterday' }],
    [
      'pairs',
      [
        ['trace-id', 'mine'],
        ['timestamp', 'yesterday'],
      ],
    ],
  ])('leave alone what the record brings itself, as %s', (_, headers) => {
    expect(headersOf({ headers })).toEqual([
      ['trace-id', 'mine'],
      ['timestamp', 'yesterday'],
    ])
  })

  test('include an idempotency key where the record or the producer asks for one', () => {
    expect(headersOf({ idempotencyKey: 'order-7' }, false)).toEqual([['idempotency-key', 'order-7']])
    const all = { traceId: false, timestamp: false, idempotencyKey: true }
    expect(headersOf({}, all)).toEqual([['idempotency-key', hex32]])
    expect(headersOf({ idempotencyKey: 'order-7' }, all)).toEqual([['idempotency-key', 'order-7']])
    expect(() => headersOf({ idempotencyKey: '' })).toThrow('idempotencyKey')
  })

  test('are none where they are not wanted', () => {
    expect(headersOf({}, false)).toEqual([])
    expect(headersOf({}, { traceId: false })).toEqual([['timestamp', '1234']])
  })
})

describe('with OpenTelemetry', () => {
  const spans = new InMemorySpanExporter()

  beforeEach(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }))
  })

  afterEach(() => {
    spans.reset()
    context.disable()
    propagation.disable()
    trace.disable()
  })

  test('a record carries the trace that is active, and its span tells where it went', async () => {
    const { producer, cluster, pass } = await openProducer({ addHeaders: true, tracing: true })
    const tracer = trace.getTracer('test')
    const outer = tracer.startSpan('outer')
    const sent = context.with(trace.setSpan(context.active(), outer), () => producer.send(letters, { value: 'v' }))
    await pass(50)
    await sent
    const [span] = spans.getFinishedSpans()
    const { traceId, spanId } = outer.spanContext()
    expect(span).toMatchObject({ name: 'send letters', kind: 3, parentSpanContext: { spanId } })
    expect(span!.attributes).toMatchObject({
      'messaging.system': 'kafka',
      'messaging.destination.name': 'letters',
      'messaging.destination.partition.id': '0',
      'messaging.kafka.offset': 0,
    })
    const bytes = String(cluster.requests[0]!.request.batches[0]!.batch)
    expect(bytes).toContain(`trace-id`)
    expect(bytes).toContain(`00-${traceId}-${span!.spanContext().spanId}-01`)
    await producer.close()
  })

  test('the span of a record that fails says so, and its promise rejects as ever', async () => {
    const { producer, cluster, pass } = await openProducer({ addHeaders: true, tracing: true })
    cluster.fate = () => ({ refusedWith: 'INVALID_RECORD' })
    const sent = producer.send(letters, { value: 'v' }).catch((error: unknown) => error)
    await pass(50)
    await expect(sent).resolves.toMatchObject({ outcome: 'refused' })
    expect(spans.getFinishedSpans()[0]).toMatchObject({
      status: { code: 2 },
      attributes: { 'error.type': 'delivery_failed' },
    })
    await producer.close()
  })

  test('no span is begun where tracing is off', async () => {
    const { producer, pass } = await openProducer({ tracing: false })
    const sent = producer.send(letters, { value: 'v' })
    await pass(50)
    await sent
    expect(spans.getFinishedSpans()).toEqual([])
    await producer.close()
  })
})
