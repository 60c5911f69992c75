import { type HandlerContext, Invocation } from './invocation.ts'

/**
 * Notes in the span of a call that an attempt has failed: for a handler that tries again by itself, as a sink does. The
 * span is that of the call, whatever is active. Does nothing where nobody traces.
 */
export function noteFailedAttempt(context: HandlerContext, attempt: number, thrown: unknown): void {
  if (context instanceof Invocation) context.span?.noteFailedAttempt(attempt, thrown)
}

/** Notes in the span of a call that its record was handled before, and is not handled again. */
export function noteDuplicate(context: HandlerContext): void {
  if (context instanceof Invocation) context.span?.noteDuplicate()
}
