import type { Delivery, HeadersInput } from '../record/record.ts'
import { failSpan, findTracer, loadOpenTelemetry } from './open-telemetry.ts'
import type { Attributes, OpenTelemetry, Span, Tracer } from './open-telemetry.ts'
import { carriedOf, contextIn } from './trace-headers.ts'
import type { CarriedTrace } from './trace-headers.ts'

/** The sending of one record. */
export interface SendSpan extends CarriedTrace {
  /** The same promise to its user; the span ends with it. */
  ending(delivery: Promise<Delivery>): Promise<Delivery>
}

interface TracedRecord {
  readonly key?: unknown
  readonly headers?: HeadersInput
}

const invalidTraceId = '0'.repeat(32)

/** Spans of OpenTelemetry for what a producer sends, by its conventions for messaging. */
export class SendTracing {
  readonly #api: OpenTelemetry
  #tracer: Tracer | undefined

  constructor(api: OpenTelemetry) {
    this.#api = api
  }

  /** Undefined: the application has no OpenTelemetry. */
  static async load(): Promise<SendTracing | undefined> {
    const api = await loadOpenTelemetry()
    return api && new SendTracing(api)
  }

  /**
   * Undefined: nobody traces, and the record has nothing to carry. A record whose headers carry a trace keeps them, and
   * its span belongs to that trace: a dead letter or a replay does not begin one of its own.
   */
  start(topic: string, record: TracedRecord): SendSpan | undefined {
    // An SDK may be registered after the producer was opened.
    this.#tracer ??= findTracer(this.#api)
    if (this.#tracer === undefined) return undefined
    const { context, trace, SpanKind } = this.#api
    const own = record.headers === undefined ? undefined : contextIn(this.#api, record.headers)
    const ownTrace = own && trace.getSpanContext(own)
    const active = context.active()
    const isOther = ownTrace !== undefined && ownTrace.traceId !== trace.getSpanContext(active)?.traceId
    const parent = isOther ? own! : active
    const options = { kind: SpanKind.PRODUCER, attributes: attributesOf(topic, record) }
    const span = this.#tracer.startSpan(`send ${topic}`, options, parent)
    if (span.spanContext().traceId === invalidTraceId) return undefined
    const carried = ownTrace
      ? { traceId: ownTrace.traceId, carried: [] }
      : carriedOf(this.#api, trace.setSpan(parent, span))!
    return { ...carried, ending: (delivery) => (span.isRecording() ? this.#ending(span, delivery) : delivery) }
  }

  async #ending(span: Span, delivery: Promise<Delivery>): Promise<Delivery> {
    try {
      const { partition, offset } = await delivery
      span.setAttributes({ 'messaging.destination.partition.id': String(partition), 'messaging.kafka.offset': offset })
      return await delivery
    } catch (error) {
      failSpan(this.#api, span, error)
      throw error
    } finally {
      span.end()
    }
  }
}

function attributesOf(topic: string, { key }: TracedRecord): Attributes {
  return {
    'messaging.system': 'kafka',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'send',
    'messaging.destination.name': topic,
    ...(typeof key === 'string' && { 'messaging.kafka.message.key': key }),
  }
}
