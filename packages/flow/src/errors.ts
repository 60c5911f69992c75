import { messageOf } from './thrown.ts'

/** The facts of an error, kept as own readonly fields of it. */
export type ErrorFacts = Readonly<Record<string, unknown>>

/** What an error has beside its code and its message. */
export interface SluiceErrorOptions {
  /** Whether trying the same thing again later can succeed. Default false. */
  readonly retriable?: boolean
  readonly cause?: unknown
  /** Fields of the error, such as the topic. */
  readonly facts?: ErrorFacts
}

/** What every error of Sluice is: a stable `code`, whether it is `retriable`, and the facts as fields. */
export class SluiceError<Code extends string = string> extends Error {
  readonly code: Code
  readonly retriable: boolean

  constructor(code: Code, message: string, { retriable = false, cause, facts }: SluiceErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.retriable = retriable
    if (facts) Object.assign(this, facts)
  }
}

/**
 * A setting or an argument that makes no sense: names the field, the value and what is allowed. Where the value may be a
 * secret it is left out: see {@link ConfigError.hidden}.
 */
export class ConfigError extends SluiceError<'config_invalid'> {
  /** The name of the setting. */
  readonly field: string
  readonly value: unknown
  /** What it may be. */
  readonly allowed: string

  /** @param message in place of "field is value, but must be allowed" */
  constructor(
    field: string,
    value: unknown,
    allowed: string,
    message = `${field} is ${show(value)}, but must be ${allowed}`,
  ) {
    super('config_invalid', message)
    this.field = field
    this.value = value
    this.allowed = allowed
  }

  /** The error about a value that may hold a password: neither its message nor its fields show the value. */
  static hidden(field: string, allowed: string): ConfigError {
    return new ConfigError(
      field,
      undefined,
      allowed,
      `${field} must be ${allowed} (its value is not shown: it may hold a password)`,
    )
  }
}

/** Why a record was shed or a wait was refused. The first three are counted as dropped records. */
export type BackpressureReason = 'old_message_dropped' | 'timeout_drop' | 'low_priority_drop' | 'waiting_full'

/** There was no room, and the policy said not to wait (any longer). */
export class BackpressureError extends SluiceError<'backpressure'> {
  /** Why there was no room. */
  readonly reason: BackpressureReason

  constructor(reason: BackpressureReason, message: string, facts?: ErrorFacts, cause?: unknown) {
    super('backpressure', message, { retriable: true, cause, ...(facts && { facts }) })
    this.reason = reason
  }
}

/** The thing was closed before or while it was used. */
export class ClosedError extends SluiceError<'closed'> {
  constructor(what: string, facts?: ErrorFacts) {
    super('closed', `${what} is closed`, facts ? { facts } : {})
  }
}

/** A circuit breaker is open: it was not even tried. */
export class CircuitOpenError extends SluiceError<'circuit_open'> {
  /** When trying again may help, in milliseconds from now. */
  readonly retryAfterMs: number

  constructor(message: string, retryAfterMs: number, facts?: ErrorFacts) {
    super('circuit_open', message, { retriable: true, ...(facts && { facts }) })
    this.retryAfterMs = retryAfterMs
  }
}

/** Faster than the rate allows. */
export class RateLimitError extends SluiceError<'rate_limited'> {
  /** When the rate will allow it, in milliseconds from now. */
  readonly retryAfterMs: number

  constructor(retryAfterMs: number, facts?: ErrorFacts) {
    super('rate_limited', 'Faster than the rate allows', { retriable: true, ...(facts && { facts }) })
    this.retryAfterMs = retryAfterMs
  }
}

/** A bounded buffer whose policy is to fail was given more than it holds. */
export class BufferOverflowError extends SluiceError<'buffer_overflow'> {
  readonly size: number

  constructor(size: number) {
    super('buffer_overflow', `The buffer of ${size} is full`, { retriable: true })
    this.size = size
  }
}

/** An operator of a stream had no room for the element, or left it out. */
export class DroppedError extends SluiceError<'element_dropped'> {
  constructor() {
    super('element_dropped', 'The stream dropped the element', { retriable: true })
  }
}

/** A publisher does not take this subscriber: it subscribed before, or there is room for one only. */
export class SubscribeError extends SluiceError<'subscribe_refused'> {
  constructor(message: string) {
    super('subscribe_refused', message)
  }
}

/** A count of our own is wrong: a defect in the caller or in Sluice, never the fault of data or of a server. */
export class InvariantError extends SluiceError<'invariant_broken'> {
  constructor(message: string, facts?: ErrorFacts) {
    super('invariant_broken', message, facts ? { facts } : {})
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return messageOf(value)
}
