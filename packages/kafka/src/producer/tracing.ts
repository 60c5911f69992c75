import type { Delivery } from '../record.ts'

/** What is used of `@opentelemetry/api`, which is there only where the application has it. */
interface OpenTelemetry {
  readonly context: { active(): unknown }
  readonly propagation: { inject(context: unknown, carrier: Record<string, string>): void }
  readonly trace: {
    getTracer(name: string): Tracer
    setSpan(context: unknown, span: Span): unknown
  }
  readonly SpanKind: { readonly PRODUCER: number }
  readonly SpanStatusCode: { readonly ERROR: number }
}

interface Tracer {
  startSpan(name: string, options: { kind: number; attributes: Record<string, string> }, context: unknown): Span
}

interface Span {
  spanContext(): { readonly traceId: string }
  isRecording(): boolean
  setAttributes(attributes: Record<string, string | number>): unknown
  setStatus(status: { code: number; message: string }): unknown
  recordException(error: Error): void
  end(): void
}

/** The sending of one record. */
export interface SendSpan {
  readonly traceId: string
  /** `traceparent` and whatever else the application's propagators carry. */
  readonly carried: ReadonlyArray<readonly [name: string, value: string]>
  /** The same promise to its user; the span ends with it. */
  ending(delivery: Promise<Delivery>): Promise<Delivery>
}

const invalidTraceId = '0'.repeat(32)
let loading: Promise<Tracing | undefined> | undefined

/** Spans of OpenTelemetry for what is sent (its conventions for messaging). */
export class Tracing {
  readonly #api: OpenTelemetry
  readonly #tracer: Tracer

  constructor(api: OpenTelemetry) {
    this.#api = api
    this.#tracer = api.trace.getTracer('@sluice/kafka')
  }

  /** Looked for once in a process. Undefined: the application has no OpenTelemetry. */
  static load(): Promise<Tracing | undefined> {
    // By a variable, or its types would have to be there.
    const name = '@opentelemetry/api'
    loading ??= import(name).then(
      (api: OpenTelemetry) => new Tracing(api),
      () => undefined,
    )
    return loading
  }

  /** Undefined: nobody traces, and the record has nothing to carry. */
  start(topic: string): SendSpan | undefined {
    const { context, propagation, trace, SpanKind } = this.#api
    const attributes = {
      'messaging.system': 'kafka',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'send',
      'messaging.destination.name': topic,
    }
    const parent = context.active()
    const options = { kind: SpanKind.PRODUCER, attributes }
    const span = this.#tracer.startSpan(`send ${topic}`, options, parent)
    const { traceId } = span.spanContext()
    if (traceId === invalidTraceId) return undefined
    const carrier: Record<string, string> = {}
    propagation.inject(trace.setSpan(parent, span), carrier)
    return {
      traceId,
      carried: Object.entries(carrier),
      ending: (delivery) => (span.isRecording() ? this.#ending(span, delivery) : delivery),
    }
  }

  async #ending(span: Span, delivery: Promise<Delivery>): Promise<Delivery> {
    try {
      const { partition, offset } = await delivery
      span.setAttributes({ 'messaging.destination.partition.id': String(partition), 'messaging.kafka.offset': offset })
      return await delivery
    } catch (error) {
      const { code, message } = error as Error & { code?: string }
      span.setAttributes({ 'error.type': code ?? (error as Error).name })
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message })
      span.recordException(error as Error)
      throw error
    } finally {
      span.end()
    }
  }
}
