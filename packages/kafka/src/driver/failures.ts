import {
  AuthenticationError as LibraryAuthenticationError,
  GenericError,
  NetworkError,
  ResponseError,
  TimeoutError,
  UserError,
} from '@platformatic/kafka'
import { SluiceError } from '@sluice/flow'
import { AuthenticationError, ConnectionError, ProtocolError, RequestTimeoutError } from '../errors.ts'
import { brokerError } from './classify.ts'

/** Which call failed, and where. */
export interface FailedCall {
  readonly address: string
  readonly api: string
  readonly timeoutMs: number
}

/** The error for a connection that could not be made. */
export function connectFailure(error: unknown, address: string, timeoutMs: number): SluiceError {
  if (error instanceof SluiceError) return error
  if (error instanceof TimeoutError) {
    const message = `${address} did not accept a connection within ${timeoutMs} ms`
    return new ConnectionError(address, message, undefined, { requestSent: false })
  }
  const cause = rootCause(error)
  if (cause instanceof SluiceError) return cause
  const authentication = find(error, (e) => e instanceof LibraryAuthenticationError)
  if (authentication) return new AuthenticationError(address, `${address} refused the credentials`, cause)
  const message = `cannot connect to ${address}: ${reason(cause)}`
  const code = codeOf(cause) ?? ''
  const retriable = !find(error, (e) => e instanceof UserError) && !distrust.test(code) && !distrusted.test(code)
  return new ConnectionError(address, message, cause, { retriable, requestSent: false })
}

/** The error for a request that was not answered, or not as it should be. */
export function requestFailure(error: unknown, call: FailedCall): SluiceError {
  const { address, api, timeoutMs } = call
  if (error instanceof SluiceError) return error
  if (error instanceof TimeoutError) return new RequestTimeoutError(address, api, timeoutMs)
  if (error instanceof ResponseError) return responseFailure(error, call)
  const cause = rootCause(error)
  if (error instanceof NetworkError) {
    return new ConnectionError(address, `the connection to ${address} broke before ${api} was answered`, cause)
  }
  if (error instanceof UserError) {
    const message = `${address} does not speak as configured: ${reason(cause)}`
    return new ConnectionError(address, message, cause, { retriable: false })
  }
  return new ProtocolError(address, api, `the answer of ${address} to ${api} cannot be read: ${reason(cause)}`, cause)
}

function responseFailure(error: ResponseError, { address, api }: FailedCall): SluiceError {
  const first: unknown = error.errors[0]
  const code = first instanceof GenericError ? (first['apiCode'] as unknown) : undefined
  return brokerError(typeof code === 'number' ? code : -1, null, { address, api })
}

/** The system's or the user's own error behind the library's wrappings; its own text where there is none. */
function rootCause(error: unknown): unknown {
  let root = error
  while (root instanceof GenericError && root.cause !== undefined) root = root.cause
  return root instanceof GenericError ? new Error(root.message) : root
}

function find(error: unknown, matches: (error: unknown) => boolean): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (matches(e)) return true
  return false
}

/** Codes of Node and OpenSSL for a certificate that is not to be trusted: waiting does not mend it. */
const distrust = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/

/** The broker's alert about what the client showed, or did not show. */
const distrusted = /^ERR_SSL_.*ALERT.*(CERTIFICATE|UNKNOWN_CA)/

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ECONNRESET: 'the other side closed the connection',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'no answer',
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
}

function reason(cause: unknown): string {
  const code = codeOf(cause) ?? ''
  if (distrusted.test(code)) {
    return `the broker wants a client certificate that it trusts, given as tls.cert and tls.key (${code})`
  }
  const known = causes[code]
  if (known) return `${known} (${code})`
  return cause instanceof Error && cause.message ? cause.message : code || String(cause)
}
