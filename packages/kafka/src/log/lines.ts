import type { LogFacts, LogLevel } from './logger.ts'

/** How an event is logged. */
export interface Line<Event> {
  /** The level, or a function of the event. */
  readonly level: LogLevel | ((event: Event) => LogLevel)
  /** The message. */
  readonly say: (event: Event) => string
  /** Where nobody listens to the event and there is no logger, it becomes a process warning. Default: it does not. */
  readonly warns?: boolean | ((event: Event) => boolean)
  /** Whether it may pass by itself: see LogLine. */
  readonly isBrief?: (event: Event) => boolean
  /** What is limited apart from other events of this name. */
  readonly kind?: (event: Event) => string
}

/** Logs an event of an emitter; `isHeard`: a listener has been given it. */
export type EventLog<Events> = <Name extends keyof Events>(name: Name, event: Events[Name], isHeard: boolean) => void

/** What is tried again after so long a wait that the wait itself is worth a line. */
const longWaits = new Set<unknown>(['request_timed_out', 'cluster_timed_out'])

/** For `isBrief` of events with an error that is tried again: a broker that restarts, a coordinator that moves. */
export function mayPass({ error }: { readonly error: unknown }): boolean {
  const { retriable, code } = (error ?? {}) as { readonly retriable?: unknown; readonly code?: unknown }
  return retriable === true && !longWaits.has(code)
}

/** A line for each event of an emitter. */
export type LinesOf<Events> = { readonly [Name in keyof Events]: Line<Events[Name]> }

/**
 * Short facts only: of a list its length, of an object nothing. A record's key is a user's data and stays out of logs. An
 * error is `err`, which pino and others print with its stack.
 */
export function factsOf(event: unknown): LogFacts {
  const facts: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(event as object)) {
    if (name === 'error' || name === 'reason') facts[value instanceof Error ? 'err' : name] = value
    else if (Array.isArray(value)) facts[name] = value.length
    else if (name !== 'key' && (typeof value !== 'object' || value === null)) facts[name] = value
  }
  return facts
}
