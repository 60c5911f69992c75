import { RecordHeaders } from '../incoming/consumer-record.ts'
import type { HeaderInput, HeadersInput } from '../record/record.ts'
import { findTracer, loadOpenTelemetry } from './open-telemetry.ts'
import type { Context, HeaderGetter, OpenTelemetry } from './open-telemetry.ts'

/** What a record carries of a trace. */
export interface CarriedTrace {
  readonly traceId: string
  /** `traceparent`, and whatever else the application's propagators write. */
  readonly carried: ReadonlyArray<readonly [name: string, value: string]>
}

/** The context that a record was sent in; the root where its headers carry none. */
export function contextIn(api: OpenTelemetry, headers: RecordHeaders | HeadersInput): Context {
  // Not the active context: it is whatever the timers and sockets of the client were created in.
  const { ROOT_CONTEXT: root, propagation } = api
  if (!(headers instanceof RecordHeaders)) return propagation.extract(root, headers, ofInput)
  return headers.size === 0 ? root : propagation.extract(root, headers, ofRecord)
}

/** What a record is to carry so that whoever handles it continues the context's trace. */
export function carriedOf(api: OpenTelemetry, context: Context): CarriedTrace | undefined {
  const spanContext = api.trace.getSpanContext(context)
  if (spanContext === undefined) return undefined
  const carrier: Record<string, string> = {}
  api.propagation.inject(context, carrier)
  return { traceId: spanContext.traceId, carried: Object.entries(carrier) }
}

/** Whether the headers carry a trace of their own, which is left as it is. */
export function bringsTrace(api: OpenTelemetry, headers: HeadersInput | undefined): boolean {
  return headers !== undefined && api.trace.getSpanContext(contextIn(api, headers)) !== undefined
}

/** What a record that is written now is to carry. Undefined: nobody traces, or it brings a trace of its own. */
export function activeTrace(api: OpenTelemetry, headers: HeadersInput | undefined): CarriedTrace | undefined {
  if (findTracer(api) === undefined || bringsTrace(api, headers)) return undefined
  return carriedOf(api, api.context.active())
}

/** A record as far as its headers go. */
export interface WithHeaders {
  readonly headers?: HeadersInput
}

/**
 * The records with headers that carry the active trace (`traceparent`), so that whoever handles them continues it: for
 * records that are kept elsewhere before they are sent, such as in the table of an outbox. One that brings a trace is left
 * as it is, and all are where nothing traces.
 */
export async function withActiveTrace<R extends WithHeaders>(records: readonly R[]): Promise<readonly R[]> {
  const api = await loadOpenTelemetry()
  if (api === undefined) return records
  return records.map((record) => {
    const trace = activeTrace(api, record.headers)
    return trace === undefined ? record : withHeaders(record, [...pairsOf(record.headers ?? {}), ...trace.carried])
  })
}

const withHeaders = <R extends WithHeaders>(record: R, headers: HeadersInput): R => ({ ...record, headers })

const ofRecord: HeaderGetter<RecordHeaders> = {
  get: (headers, name) => headers.get(name),
  keys: (headers) => Array.from(headers, ([name]) => name),
}

const ofInput: HeaderGetter<HeadersInput> = {
  get: (headers, name) => textOf(pairsOf(headers).findLast(([other]) => other === name)?.[1]),
  keys: (headers) => pairsOf(headers).map(([name]) => name),
}

type Pairs = ReadonlyArray<readonly [name: string, value: HeaderInput]>

/** Headers that make no sense are refused later, where the record is encoded. */
function pairsOf(headers: HeadersInput): Pairs {
  if (typeof headers !== 'object' || headers === null) return []
  return Array.isArray(headers) ? (headers as Pairs).filter(Array.isArray) : Object.entries(headers)
}

function textOf(value: HeaderInput | undefined): string | undefined {
  if (typeof value === 'string') return value
  return value instanceof Uint8Array ? Buffer.from(value).toString() : undefined
}
