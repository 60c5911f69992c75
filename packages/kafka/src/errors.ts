import { SluiceError, type SluiceErrorOptions } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import type { StandardSchemaV1 } from '@standard-schema/spec'

/** Whether a record that was given up can still be in the log: `refused` not, `unknown` maybe. */
export type DeliveryOutcome = 'refused' | 'unknown'

/** Which part of a record a codec failed on. */
export type RecordPart = 'key' | 'value'

/** No connection to a broker could be made, or it broke before the answer. */
export class ConnectionError extends SluiceError<'connection_failed'> {
  declare readonly address: string
  /** False where the connection was never made: then no broker has seen the request. */
  declare readonly requestSent: boolean
  /** True where the cluster named the address (`advertised.listeners`), false where it is one of `brokers`. */
  declare readonly advertised: boolean

  constructor(
    address: string,
    message: string,
    cause?: unknown,
    {
      retriable = true,
      requestSent = true,
      advertised = false,
    }: { retriable?: boolean; requestSent?: boolean; advertised?: boolean } = {},
  ) {
    super('connection_failed', message, { retriable, cause, facts: { address, requestSent, advertised } })
  }
}

/** A broker refused the credentials, or the SASL mechanism. */
export class AuthenticationError extends SluiceError<'authentication_failed'> {
  declare readonly address: string

  constructor(address: string, message: string, cause?: unknown) {
    super('authentication_failed', message, { cause, facts: { address } })
  }
}

/** The callback for OAUTHBEARER tokens gave none: it threw, took too long, or gave what is no token. */
export class TokenError extends SluiceError<'token_failed'> {
  declare readonly address: string

  constructor(address: string, why: string, cause?: unknown) {
    super('token_failed', `no token for ${address}: ${why}`, { retriable: true, cause, facts: { address } })
  }
}

/** A broker is too old for this runtime: it lacks a version of an API that is needed. */
export class UnsupportedBrokerError extends SluiceError<'broker_unsupported'> {
  declare readonly address: string
  /** What the broker does not support. */
  declare readonly missing: readonly string[]

  constructor(address: string, missing: readonly string[]) {
    const what = missing.join(', ')
    super('broker_unsupported', `the broker at ${address} is older than Kafka 4.0: it lacks ${what}`, {
      facts: { address, missing },
    })
  }
}

/** An answer that could not be understood, or a request that a broker never answers but by hanging up. */
export class ProtocolError extends SluiceError<'protocol_violated'> {
  declare readonly address: string
  /** The request whose answer makes no sense. */
  declare readonly api: string

  constructor(address: string, api: string, message: string, cause?: unknown) {
    super('protocol_violated', message, { cause, facts: { address, api } })
  }
}

/** A broker did not answer within the request timeout. What it did with the request is unknown. */
export class RequestTimeoutError extends SluiceError<'request_timed_out'> {
  declare readonly address: string
  /** The time that was over. */
  declare readonly timeoutMs: number

  constructor(address: string, api: string, timeoutMs: number, cause?: unknown) {
    super('request_timed_out', `${api} was not answered by ${address} within ${timeoutMs} ms`, {
      retriable: true,
      cause,
      facts: { address, timeoutMs },
    })
  }
}

/** A broker answered with an error. `apiError` is its name in Kafka's protocol, such as `TOPIC_ALREADY_EXISTS`. */
export class BrokerError extends SluiceError<'broker_refused'> {
  /** Kafka's name of the error, such as `TOPIC_ALREADY_EXISTS`. */
  declare readonly apiError: string
  /** Kafka's number of the error. */
  declare readonly apiCode: number

  constructor(apiError: string, apiCode: number, message: string, options: SluiceErrorOptions = {}) {
    super('broker_refused', message, { ...options, facts: { ...options.facts, apiError, apiCode } })
  }
}

/**
 * Something the cluster has to settle (a leader, a coordinator, a topic) was not settled in time. The message ends with
 * what was wrong last, which is the `cause`.
 */
export class ClusterTimeoutError extends SluiceError<'cluster_timed_out'> {
  /** The time that was over. */
  declare readonly timeoutMs: number

  constructor(what: string, timeoutMs: number, cause?: unknown) {
    const why = cause === undefined ? '' : `: ${messageOf(cause)}`
    super('cluster_timed_out', `${what} within ${timeoutMs} ms${why}`, { retriable: true, cause, facts: { timeoutMs } })
  }
}

/**
 * What made the broker refuse a record: `record`, the record itself; `batch`, some record of its batch, perhaps another
 * one, since the broker did not say which.
 */
export type DeliveryBlame = 'record' | 'batch'

/** A record was given up after it had been accepted. */
export class DeliveryError extends SluiceError<'delivery_failed'> {
  declare readonly topic: string
  declare readonly partition: number
  /** Whether the record can be in the log. */
  readonly outcome: DeliveryOutcome
  /** Undefined where the content of no record is the reason. */
  readonly blame: DeliveryBlame | undefined

  constructor(
    topic: string,
    partition: number,
    outcome: DeliveryOutcome,
    message: string,
    cause?: unknown,
    blame?: DeliveryBlame,
  ) {
    const why = cause === undefined ? '' : `: ${messageOf(cause)}`
    super('delivery_failed', `${message}${why}`, { cause, facts: { topic, partition } })
    this.outcome = outcome
    this.blame = blame
  }
}

/** A record is larger than a producer may send. */
export class RecordTooLargeError extends SluiceError<'record_too_large'> {
  declare readonly topic: string
  /** Its size in a batch before compression, at most. */
  declare readonly bytes: number
  /** The most that is allowed. */
  declare readonly maxRecordBytes: number

  constructor(topic: string, bytes: number, maxRecordBytes: number) {
    super(
      'record_too_large',
      `a record for ${topic} takes up to ${bytes} bytes, more than the ${maxRecordBytes} allowed`,
      {
        facts: { topic, bytes, maxRecordBytes },
      },
    )
  }
}

/** A codec could not turn a key or a value into bytes. */
export class EncodeError extends SluiceError<'encode_failed'> {
  declare readonly topic: string
  /** The key or the value. */
  declare readonly part: RecordPart
  /** The name of the codec. */
  declare readonly codec: string
  /** What the schema has against the value; undefined where none was asked. */
  declare readonly issues: readonly StandardSchemaV1.Issue[] | undefined

  constructor(topic: string, part: RecordPart, codec: string, cause: unknown) {
    super('encode_failed', `the ${part} for ${topic} cannot be written as ${codec}: ${messageOf(cause)}`, {
      cause,
      facts: { topic, part, codec, ...issuesOf(cause) },
    })
  }
}

/** A codec could not read the bytes of a key or a value. */
export class DecodeError extends SluiceError<'decode_failed'> {
  declare readonly topic: string
  declare readonly partition: number
  declare readonly offset: number
  /** The key or the value. */
  declare readonly part: RecordPart
  /** The name of the codec. */
  declare readonly codec: string
  /** What the schema has against the value; undefined where none was asked. */
  declare readonly issues: readonly StandardSchemaV1.Issue[] | undefined

  constructor(
    where: { readonly topic: string; readonly partition: number; readonly offset: number },
    part: RecordPart,
    codec: string,
    cause: unknown,
  ) {
    const { topic, partition, offset } = where
    const place = `${topic}/${partition} at offset ${offset}`
    super('decode_failed', `the ${part} in ${place} cannot be read as ${codec}: ${messageOf(cause)}`, {
      cause,
      facts: { topic, partition, offset, part, codec, ...issuesOf(cause) },
    })
  }
}

/** A `SchemaError` has them. */
function issuesOf(cause: unknown): { readonly issues?: readonly unknown[] } {
  const { issues } = (cause ?? {}) as { readonly issues?: unknown }
  return cause instanceof TypeError && Array.isArray(issues) ? { issues } : {}
}

/** A record batch whose bytes are not what was written, or that no client of today can have written. */
export class CorruptBatchError extends SluiceError<'batch_corrupt'> {
  /** The base offset that the batch claims. */
  declare readonly baseOffset: number

  constructor(baseOffset: number, message: string, cause?: unknown) {
    super('batch_corrupt', `the batch at offset ${baseOffset} is damaged: ${message}`, {
      cause,
      facts: { baseOffset },
    })
  }
}

/** A batch that would take more memory decompressed than it may. */
export class BatchTooLargeError extends SluiceError<'batch_too_large'> {
  /** The most that is allowed. */
  declare readonly maxBytes: number

  constructor(maxBytes: number, cause?: unknown) {
    super('batch_too_large', `a batch is larger than the ${maxBytes} bytes of maxDecodedBytes once decompressed`, {
      cause,
      facts: { maxBytes },
    })
  }
}

/** A record with more headers than may be read. */
export class HeadersTooLargeError extends SluiceError<'headers_too_large'> {
  declare readonly offset: number
  declare readonly headers: number
  /** What its headers take. */
  declare readonly headerBytes: number

  constructor(
    record: { readonly offset: number; readonly headers: number; readonly headerBytes: number },
    { maxHeaders, maxHeaderBytes }: { readonly maxHeaders: number; readonly maxHeaderBytes: number },
  ) {
    const { offset, headers, headerBytes } = record
    const what =
      headers > maxHeaders
        ? `${headers} headers, more than the ${maxHeaders} of maxHeaders`
        : `${headerBytes} bytes of headers, more than the ${maxHeaderBytes} of maxHeaderBytes`
    super('headers_too_large', `the record at offset ${offset} has ${what}`, {
      facts: { offset, headers, headerBytes },
    })
  }
}

/** A topic refused what a handler returned, although its settings, as they were known, allowed it. */
export class OutputRefusedError extends SluiceError<'output_refused'> {
  /** Of the output. */
  declare readonly topic: string

  /** @param isGone the record that it came of was deleted meanwhile: its dead letter has no key and no value */
  constructor(topic: string, cause: unknown, isGone: boolean) {
    const gone = isGone ? '; the record itself has been deleted from its topic meanwhile' : ''
    const text = `what the handler returned for ${topic} was refused: ${messageOf(cause)}${gone}`
    super('output_refused', text, { cause, facts: { topic } })
  }
}
