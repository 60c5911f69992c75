import { messageOf, nameOf, stackOf } from '@sluice/flow/internal'

/** What is used of `@opentelemetry/api`, which is present only where the application has it. */
export interface OpenTelemetry {
  readonly ROOT_CONTEXT: Context
  readonly context: {
    active(): Context
    with<A extends unknown[], R>(context: Context, work: (...args: A) => R, self: undefined, ...args: A): R
  }
  readonly propagation: {
    inject(context: Context, carrier: Record<string, string>): void
    extract<C>(context: Context, carrier: C, getter: HeaderGetter<C>): Context
  }
  readonly trace: {
    getTracerProvider(): TracerProvider
    getSpanContext(context: Context): SpanContext | undefined
    setSpan(context: Context, span: Span): Context
  }
  readonly SpanKind: { readonly PRODUCER: number; readonly CONSUMER: number }
  readonly SpanStatusCode: { readonly ERROR: number }
}

/** A context of OpenTelemetry: immutable, and opaque to us. */
export interface Context {
  getValue(key: symbol): unknown
}

export interface HeaderGetter<C> {
  get(carrier: C, name: string): string | undefined
  keys(carrier: C): string[]
}

export interface SpanContext {
  readonly traceId: string
  readonly spanId: string
}

interface SpanOptions {
  readonly kind: number
  readonly attributes: Attributes
  readonly links?: readonly { readonly context: SpanContext }[]
}

export type Attributes = Record<string, string | number | boolean>

export interface Span {
  spanContext(): SpanContext
  isRecording(): boolean
  setAttributes(attributes: Attributes): unknown
  setStatus(status: { code: number; message: string }): unknown
  addEvent(name: string, attributes: Attributes): unknown
  recordException(exception: { readonly name: string; readonly message: string; readonly stack: string }): void
  end(): void
}

export interface Tracer {
  startSpan(name: string, options: SpanOptions, context: Context): Span
}

interface TracerProvider {
  getTracer(name: string): Tracer
  /** Of the stand-in that the API gives out; undefined is returned until an SDK is registered. */
  getDelegateTracer?(name: string): Tracer | undefined
}

const tracerName = '@sluice/kafka'
let loading: Promise<OpenTelemetry | undefined> | undefined

/** Imported once per process. Undefined: the application does not have it. */
export function loadOpenTelemetry(): Promise<OpenTelemetry | undefined> {
  // By a variable: a literal name would make the compiler look for its types.
  const name = '@opentelemetry/api'
  loading ??= import(name).then(
    (api: OpenTelemetry) => api,
    () => undefined,
  )
  return loading
}

/** Undefined until an SDK is registered: spans would reach nobody then, and are not worth their cost. */
export function findTracer(api: OpenTelemetry): Tracer | undefined {
  const provider = api.trace.getTracerProvider()
  return provider.getDelegateTracer === undefined
    ? provider.getTracer(tracerName)
    : provider.getDelegateTracer(tracerName)
}

/** Marks the span as failed. A handler may throw anything, also what throws when it is looked at. */
export function failSpan(api: OpenTelemetry, span: Span, thrown: unknown): void {
  if (!span.isRecording()) return
  const [name, message] = [nameOf(thrown), messageOf(thrown)]
  span.setAttributes({ 'error.type': codeOf(thrown) ?? name })
  span.setStatus({ code: api.SpanStatusCode.ERROR, message })
  span.recordException({ name, message, stack: stackOf(thrown) })
}

function codeOf(thrown: unknown): string | undefined {
  try {
    const { code } = thrown as { code?: unknown }
    return typeof code === 'string' && code !== '' ? code : undefined
  } catch {
    return undefined
  }
}
