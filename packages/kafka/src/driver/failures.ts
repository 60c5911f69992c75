import { SluiceError } from '@sluice/flow'
import { AuthenticationError, ConnectionError, ProtocolError, RequestTimeoutError } from '../errors.ts'
import { library } from './library.ts'

/** Which call failed, and where. */
export interface FailedCall extends Target {
  readonly api: string
  readonly timeoutMs: number
}

/** A broker's address, and where it comes from. */
export interface Target {
  readonly address: string
  /** The cluster named it; it is not one of the bootstrap addresses. */
  readonly advertised: boolean
  /** TLS is spoken with it. */
  readonly tls: boolean
}

/** The error for a connection that was never usable. A wrong `advertised.listeners` is the most frequent cause. */
export function notConnected(
  { address, advertised }: Target,
  message: string,
  cause?: unknown,
  retriable = true,
): ConnectionError {
  const hint = advertised
    ? `${message}; the cluster advertises this address (advertised.listeners of that broker): it has to resolve to the broker and be reachable from here`
    : message
  return new ConnectionError(address, hint, cause, { retriable, requestSent: false, advertised })
}

/** The error for a connection that could not be made. */
export function connectFailure(error: unknown, target: Target, timeoutMs: number): SluiceError {
  const { address, tls } = target
  const kafka = library()
  if (error instanceof SluiceError) return error
  if (error instanceof kafka.TimeoutError) {
    return notConnected(target, `${address} did not accept a connection within ${timeoutMs} ms`)
  }
  const cause = rootCause(error)
  if (cause instanceof SluiceError) return cause
  const authentication = find(error, (e) => e instanceof kafka.AuthenticationError)
  if (authentication) return new AuthenticationError(address, `${address} refused the credentials`, cause)
  const message = `cannot connect to ${address}: ${reason(cause)}${tls ? tlsHint(cause) : ''}`
  const code = codeOf(cause) ?? ''
  const retriable = !find(error, (e) => e instanceof kafka.UserError) && !distrust.test(code) && !distrusted.test(code)
  return notConnected(target, message, cause, retriable)
}

/** The error for a request that was not answered, or not as it should be. `ended`: why its connection ended, if it did. */
export function requestFailure(error: unknown, call: FailedCall, ended: unknown = error): SluiceError {
  const { address, advertised, api, timeoutMs } = call
  const { NetworkError, TimeoutError, UserError } = library()
  if (error instanceof SluiceError) return error
  if (error instanceof TimeoutError) return new RequestTimeoutError(address, api, timeoutMs)
  if (error instanceof NetworkError) {
    const cause = rootCause(ended)
    const why = ended instanceof NetworkError && ended.cause === undefined ? '' : `: ${reason(cause)}`
    const message = `the connection to ${address} broke before ${api} was answered${why}`
    return new ConnectionError(address, message, cause, { advertised })
  }
  const cause = rootCause(error)
  if (error instanceof UserError) {
    const message = `${address} does not speak as configured: ${reason(cause)}`
    return new ConnectionError(address, message, cause, { retriable: false, advertised })
  }
  return new ProtocolError(address, api, `the answer of ${address} to ${api} cannot be read: ${reason(cause)}`, cause)
}

/** The system's or the user's own error behind the library's wrappings; its own text where there is none. */
function rootCause(error: unknown): unknown {
  const { GenericError } = library()
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

/** A listener without TLS ends the connection at the first bytes of a handshake, or answers with what is none. */
function tlsHint(cause: unknown): string {
  const code = codeOf(cause) ?? ''
  const isMaybePlain = code === 'ECONNRESET' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO'
  return isMaybePlain ? '; does this listener speak TLS?' : ''
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
