import type { Clock } from '@sluice/flow'
import type { SaslOptions } from './connect-options.ts'

// The library's own login is not used: it parses what a server says outside of any try, escapes a user name only in
// part, does what number of iterations it is told, and renews sessions by a timer that cannot hold 25 days.

export interface LoginOptions {
  readonly sasl: SaslOptions
  readonly address: string
  readonly connectTimeoutMs: number
  readonly clock: Clock
  /**
   * Aborted when the connection is gone: a token callback is not waited for any longer. With a `ConnectionError` where
   * the time for the connection is over.
   */
  readonly signal: AbortSignal
}
