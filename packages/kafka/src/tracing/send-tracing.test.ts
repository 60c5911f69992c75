import { expect, test } from 'vitest'
import { letters, openProducer } from '../producer/testing/open-producer.ts'
import type { OutgoingRecord } from '../record/record.ts'
import { recordSpans, within } from './testing/record-spans.ts'

const given = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) }
const traceparent = `00-${given.traceId}-${given.spanId}-01`

/** Sends a record within a span, and returns that span's context and the bytes that were written. */
async function send(record: OutgoingRecord<string, string>, fate?: { readonly refusedWith: string }) {
  const { producer, cluster, pass } = await openProducer({ addHeaders: true, tracing: true })
  if (fate !== undefined) cluster.fate = () => fate
  let error: unknown
  const outer = await within('outer', async () => {
    const sent = producer.send(letters, record).catch((cause: unknown) => (error = cause))
    await pass(50)
    await sent
  })
  await producer.close()
  return { outer, error, bytes: String(cluster.requests[0]?.request.batches[0]!.batch) }
}

test('a record carries the trace that is active, and its span tells where it went', async () => {
  using spans = recordSpans()
  const { outer, bytes } = await send({ key: 'k', value: 'v' })
  const [span] = spans.ended('send letters')
  expect(span).toMatchObject({ kind: 3, parentSpanContext: { spanId: outer.spanId } })
  expect(span!.attributes).toEqual({
    'messaging.system': 'kafka',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'send',
    'messaging.destination.name': 'letters',
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': 0,
    'messaging.kafka.message.key': 'k',
  })
  expect(bytes).toContain(`trace-id`)
  expect(bytes).toContain(`00-${outer.traceId}-${span!.spanContext().spanId}-01`)
})

test.each<[string, OutgoingRecord<string, string>['headers']]>([
  ['as an object', { traceparent }],
  ['as pairs', [['traceparent', Buffer.from(traceparent)]]],
])('a record that brings a trace %s keeps it, and its span belongs to that trace', async (_, headers) => {
  using spans = recordSpans()
  const { outer, bytes } = await send({ value: 'v', headers: headers! })
  const [span] = spans.ended('send letters')
  expect(span!.parentSpanContext).toMatchObject(given)
  expect(bytes).toContain(traceparent)
  expect(bytes).not.toContain(span!.spanContext().spanId)
  // The added `trace-id` is that of the record's own trace.
  expect(bytes.split(given.traceId)).toHaveLength(3)
  expect(bytes).not.toContain(outer.traceId)
})

test('the span of a record that fails says so, and its promise rejects as ever', async () => {
  using spans = recordSpans()
  const { error } = await send({ value: 'v' }, { refusedWith: 'INVALID_RECORD' })
  expect(error).toMatchObject({ outcome: 'refused' })
  expect(spans.ended('send letters')[0]).toMatchObject({
    status: { code: 2 },
    attributes: { 'error.type': 'delivery_failed' },
  })
})

test('headers that make no sense are refused as they are without a trace', async () => {
  using spans = recordSpans()
  const { error } = await send({ value: 'v', headers: [null] as never })
  expect(error).toMatchObject({ code: 'config_invalid', field: 'headers' })
  expect(spans.ended('send letters')).toHaveLength(1)
})

test('no span is begun where tracing is off, nor where no SDK is registered', async () => {
  const { producer, pass } = await openProducer({ tracing: true })
  const untraced = producer.send(letters, { value: 'v' })
  await pass(50)
  await untraced
  await producer.close()
  using spans = recordSpans()
  const off = await openProducer({ tracing: false })
  const sent = off.producer.send(letters, { value: 'v' })
  await off.pass(50)
  await sent
  await off.producer.close()
  expect(spans.ended()).toEqual([])
})
