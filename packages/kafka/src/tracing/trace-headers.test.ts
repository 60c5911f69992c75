import { expect, test } from 'vitest'
import type { HeadersInput } from '../record/record.ts'
import { recordSpans, within } from './testing/record-spans.ts'
import { withActiveTrace } from './trace-headers.ts'

const record = (headers?: HeadersInput) => ({ value: 'v', ...(headers !== undefined && { headers }) })

test('records get the active trace beside their own headers', async () => {
  using _spans = recordSpans()
  let traced: unknown
  const { traceId, spanId } = await within('request', async () => {
    traced = await withActiveTrace([record(), record({ own: '1' }), record([['own', null]])])
  })
  const trace = ['traceparent', `00-${traceId}-${spanId}-01`]
  expect(traced).toEqual([
    { value: 'v', headers: [trace] },
    { value: 'v', headers: [['own', '1'], trace] },
    { value: 'v', headers: [['own', null], trace] },
  ])
})

test('a record that brings a trace is left as it is, and all are where nothing traces', async () => {
  const records = [record({ traceparent: `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01` }), record()]
  expect(await withActiveTrace(records)).toEqual(records)
  using _spans = recordSpans()
  expect(await withActiveTrace(records)).toEqual(records)
  await within('request', async () => expect((await withActiveTrace(records))[0]).toBe(records[0]))
})
