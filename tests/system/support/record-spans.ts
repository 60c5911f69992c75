import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'

/** Registers the SDK of OpenTelemetry, as an application does, until it is disposed of. */
export function recordSpans() {
  const exporter = new InMemorySpanExporter()
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  return {
    /** Those of a trace that have ended, in the order of their ends. */
    of: (traceId: string): ReadableSpan[] =>
      exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId),
    named: (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name),
    [Symbol.dispose]() {
      context.disable()
      propagation.disable()
      trace.disable()
    },
  }
}

/** Does the work within a span, as a server does with a request. Returns the id of its trace. */
export async function request(name: string, work: () => Promise<unknown>): Promise<string> {
  return await trace.getTracer('http').startActiveSpan(name, { root: true }, async (span) => {
    await work()
    span.end()
    return span.spanContext().traceId
  })
}

/** The names from a span up to the root of its trace. */
export function ancestry(spans: readonly ReadableSpan[], span: ReadableSpan | undefined): string[] {
  const names: string[] = []
  for (let one = span; one !== undefined;) {
    names.push(one.name)
    const parent = one.parentSpanContext?.spanId
    one = spans.find((other) => other.spanContext().spanId === parent)
  }
  return names
}
