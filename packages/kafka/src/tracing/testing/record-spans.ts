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
  // More links than the SDK keeps by default: tests look at all that a span is given.
  const spanLimits = { linkCountLimit: 1_000 }
  const spanProcessors = [new SimpleSpanProcessor(exporter)]
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors, spanLimits }))
  return {
    /** Those that have ended, in the order of their ends. */
    ended: (name?: string): ReadableSpan[] =>
      exporter.getFinishedSpans().filter((span) => name === undefined || span.name === name),
    [Symbol.dispose]() {
      context.disable()
      propagation.disable()
      trace.disable()
    },
  }
}

/** Runs the work within a span of that name, as a server does with a request. Returns the span's context. */
export async function within(name: string, work: () => unknown) {
  const span = trace.getTracer('test').startSpan(name)
  await context.with(trace.setSpan(context.active(), span), async () => await work())
  span.end()
  return span.spanContext()
}
