import { messageOf, nameOf, stackOf } from '@sluice/flow/internal'
import type { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { HandlerContext, Invocation } from './invocation.ts'
import type { HeadersInput } from '../../record/record.ts'
import { failSpan, findTracer } from '../../tracing/open-telemetry.ts'
import type { Attributes, Context, OpenTelemetry, Span, SpanContext, Tracer } from '../../tracing/open-telemetry.ts'
import { bringsTrace, carriedOf, contextIn } from '../../tracing/trace-headers.ts'
import type { CarriedTrace } from '../../tracing/trace-headers.ts'

type Handler = (input: unknown, context: HandlerContext) => unknown

/** What SDKs keep by default. */
const maxLinks = 128

/** Spans of OpenTelemetry for the calls of a handler, by its conventions for messaging: one per call. */
export class ProcessTracing {
  readonly #api: OpenTelemetry
  readonly #tracer: Tracer
  readonly #group: string

  private constructor(api: OpenTelemetry, tracer: Tracer, group: string) {
    this.#api = api
    this.#tracer = tracer
    this.#group = group
  }

  /** Undefined: nobody traces. Decided once per run, so that records cost nothing then. */
  static begin(api: OpenTelemetry | undefined, group: string): ProcessTracing | undefined {
    const tracer = api && findTracer(api)
    return tracer && new ProcessTracing(api, tracer, group)
  }

  /** Calls the handler with the context of its span active, which stays so across its awaits. */
  call(handler: Handler, invocation: Invocation): unknown {
    const span = this.#start(invocation)
    invocation.span = span
    return this.#api.context.with(span.context, handler, undefined, invocation.input, invocation)
  }

  /** Does what follows from the call, such as writing a dead letter, in the same trace. */
  within<T>(invocation: Invocation, work: () => T): T {
    // Without a span the handler was not called: a record that cannot be decoded still has its sender's context.
    const context = invocation.span?.context ?? contextIn(this.#api, invocation.records[0]!.headers)
    return this.#api.context.with(context, work, undefined)
  }

  #start(invocation: Invocation): ProcessSpan {
    const { input } = invocation
    const isBatch = Array.isArray(input)
    const first = (isBatch ? (input as readonly ConsumerRecord[])[0]! : input) as ConsumerRecord
    const parent = isBatch ? this.#api.ROOT_CONTEXT : contextIn(this.#api, first.headers)
    const options = {
      kind: this.#api.SpanKind.CONSUMER,
      attributes: this.#attributesOf(first, invocation),
      links: isBatch ? this.#linksTo(input as readonly ConsumerRecord[]) : [],
    }
    const span = this.#tracer.startSpan(`process ${first.topic}`, options, parent)
    return new ProcessSpan(this.#api, span, this.#api.trace.setSpan(parent, span))
  }

  #attributesOf({ topic, partition, offset, key }: ConsumerRecord, { input, attempt }: Invocation): Attributes {
    const ofRecord = {
      'messaging.kafka.offset': offset,
      ...(typeof key === 'string' && { 'messaging.kafka.message.key': key }),
    }
    return {
      'messaging.system': 'kafka',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': topic,
      'messaging.destination.partition.id': String(partition),
      'messaging.consumer.group.name': this.#group,
      'sluice.attempt': attempt,
      ...(Array.isArray(input) ? { 'messaging.batch.message_count': input.length } : ofRecord),
    }
  }

  /** Where the records were sent: one link for each sender, since those of one outbox transaction share theirs. */
  #linksTo(records: readonly ConsumerRecord[]): { readonly context: SpanContext }[] {
    const senders = new Map<string, SpanContext>()
    for (const { headers } of records) {
      if (senders.size === maxLinks) break
      const sender = this.#api.trace.getSpanContext(contextIn(this.#api, headers))
      if (sender !== undefined) senders.set(sender.traceId + sender.spanId, sender)
    }
    return Array.from(senders.values(), (context) => ({ context }))
  }
}

/** One call of a handler. It ends once, with the call: what follows may still be done in its context. */
export class ProcessSpan {
  readonly context: Context
  readonly #api: OpenTelemetry
  readonly #span: Span
  #carried: CarriedTrace | undefined
  #hasEnded = false

  constructor(api: OpenTelemetry, span: Span, context: Context) {
    this.#api = api
    this.#span = span
    this.context = context
  }

  /** What an output of the call is to carry. Undefined: it brings a trace of its own. */
  carriedBy(output: { readonly headers?: HeadersInput }): CarriedTrace | undefined {
    return bringsTrace(this.#api, output.headers) ? undefined : (this.#carried ??= carriedOf(this.#api, this.context))
  }

  /** An attempt within the call: the call itself may still end well. */
  noteFailedAttempt(attempt: number, thrown: unknown): void {
    this.#span.addEvent('exception', {
      'exception.type': nameOf(thrown),
      'exception.message': messageOf(thrown),
      'exception.stacktrace': stackOf(thrown),
      'sluice.attempt': attempt,
    })
  }

  noteDuplicate(): void {
    this.#span.setAttributes({ 'sluice.duplicate': true })
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#span.end()
  }

  fail(thrown: unknown): void {
    if (this.#hasEnded) return
    failSpan(this.#api, this.#span, thrown)
    this.end()
  }
}
