import { ConfigError } from '@sluice/flow'
import { AuthenticationError, BrokerError, DeliveryError, EncodeError, RecordTooLargeError } from '../errors.ts'

/** Why a topic does not take a record. Every other error can pass: what it kept from being written is tried again. */
export type Refusal =
  /** Larger than the topic's `max.message.bytes`. */
  | 'too_large'
  /** Its timestamp is too old, too far ahead, or none that can be written. */
  | 'timestamp'
  /** The topic has no partition of that number. */
  | 'partition'
  /** It has no key, and the topic is compacted; or a check of the broker's own refused it. */
  | 'record'
  /** This client may not write or create the topic: somebody has to grant it. */
  | 'not_allowed'
  /** No attempt can succeed. */
  | 'never'

const byApiError: Readonly<Record<string, Refusal>> = {
  MESSAGE_TOO_LARGE: 'too_large',
  RECORD_LIST_TOO_LARGE: 'too_large',
  INVALID_TIMESTAMP: 'timestamp',
  INVALID_RECORD: 'record',
  TOPIC_AUTHORIZATION_FAILED: 'not_allowed',
  CLUSTER_AUTHORIZATION_FAILED: 'not_allowed',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'not_allowed',
  SASL_AUTHENTICATION_FAILED: 'not_allowed',
  POLICY_VIOLATION: 'never',
  INVALID_TOPIC_EXCEPTION: 'never',
  UNSUPPORTED_COMPRESSION_TYPE: 'never',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'never',
  UNSUPPORTED_VERSION: 'never',
}

const byField: Readonly<Record<string, Refusal>> = { timestampMs: 'timestamp', partition: 'partition', key: 'record' }

/** The error that says why a topic took nothing, behind those that only pass it on. */
export function refusingError(error: unknown): BrokerError | ConfigError | undefined {
  if (error instanceof BrokerError || error instanceof ConfigError) return error
  return error instanceof Error && error.cause !== undefined ? refusingError(error.cause) : undefined
}

/** Undefined: it may pass. */
export function refusalOf(error: unknown): Refusal | undefined {
  // Some other record of its batch may be to blame.
  if (error instanceof DeliveryError && error.blame === 'batch') return undefined
  const cause = error instanceof DeliveryError && error.cause !== undefined ? error.cause : error
  if (cause instanceof BrokerError)
    return Object.hasOwn(byApiError, cause.apiError) ? byApiError[cause.apiError] : undefined
  if (cause instanceof RecordTooLargeError) return 'too_large'
  if (cause instanceof ConfigError) return Object.hasOwn(byField, cause.field) ? byField[cause.field] : 'never'
  if (cause instanceof AuthenticationError) return 'not_allowed'
  return cause instanceof EncodeError || cause instanceof TypeError || cause instanceof RangeError ? 'never' : undefined
}
