import type { Connection } from '@platformatic/kafka'
import { type SluiceError } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import { AuthenticationError } from '../errors.ts'
import { answeredBy } from './answer.ts'
import { brokerError, classify } from './classify.ts'
import type { SaslOptions } from './connect-options.ts'
import { ScramExchange, type ScramMechanism } from './scram.ts'
import { tokenInTime } from './token.ts'
import type { LoginOptions } from './login-options.ts'

interface SaslAnswer {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly bytes: Buffer
  /** 0: without end. */
  readonly sessionLifetimeMs: number
}

const withoutTags = { inRequest: false, inAnswer: false }

const handshakeApi = answeredBy(
  17,
  1,
  'saslHandshakeV1',
  (answer) => ({
    errorCode: answer.int16(),
    mechanisms: answer.plainArray(() => answer.plainString() ?? ''),
  }),
  withoutTags,
)

const authenticateApi = answeredBy(36, 2, 'saslAuthenticateV2', (answer): SaslAnswer => {
  const result = { errorCode: answer.int16(), errorMessage: answer.string() }
  const bytes = answer.bytes(Math.max(0, answer.unsignedVarint() - 1))
  return { ...result, bytes, sessionLifetimeMs: answer.int64() }
})

/**
 * Proves who the client is. Resolves with the life of the session in milliseconds, 0 for one without end.
 * @throws AuthenticationError with the broker's own words; TokenError
 */
export async function logIn(connection: Connection, options: LoginOptions): Promise<number> {
  const { sasl, address } = options
  const { errorCode, mechanisms } = await handshakeApi.call(connection, sasl.mechanism)
  if (errorCode !== 0) throw handshakeFailure(errorCode, sasl.mechanism, mechanisms, address)
  if (sasl.mechanism === 'PLAIN') return (await say(connection, plainMessage(sasl, address), options)).sessionLifetimeMs
  if (sasl.mechanism === 'OAUTHBEARER') return await logInByToken(connection, options)
  return await logInByScram(connection, sasl.mechanism, options)
}

async function logInByScram(connection: Connection, mechanism: ScramMechanism, options: LoginOptions): Promise<number> {
  const { username = '', password = '' } = options.sasl
  const exchange = new ScramExchange(mechanism, username, password)
  const challenge = await say(connection, exchange.first(), options)
  const final = await exchange.final(challenge.bytes).catch((error: unknown) => refuse(options.address, error))
  const last = await say(connection, final, options)
  try {
    exchange.verify(last.bytes)
  } catch (error) {
    refuse(options.address, error)
  }
  return last.sessionLifetimeMs
}

async function logInByToken(connection: Connection, options: LoginOptions): Promise<number> {
  const token = await tokenInTime(options)
  const { bytes, sessionLifetimeMs } = await say(
    connection,
    Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`),
    options,
  )
  // RFC 7628: a broker refuses a token by an answer that is no error but says why; success says nothing.
  if (bytes.length > 0)
    refuse(options.address, new Error(`the token was refused: ${shortened(bytes.toString('utf8'))}`))
  return sessionLifetimeMs
}

async function say(connection: Connection, message: Buffer, { address }: LoginOptions): Promise<SaslAnswer> {
  const answer = await authenticateApi.call(connection, message)
  const { errorCode, errorMessage } = answer
  if (errorCode === 0) return answer
  const error = brokerError(errorCode, errorMessage && shortened(errorMessage), { api: 'SaslAuthenticate' })
  if (error.retriable) throw error
  throw new AuthenticationError(
    address,
    `${address} refused the credentials: ${shortened(errorMessage ?? error.apiError)}`,
    error,
  )
}

/** The user's name and password between NULs (RFC 4616), which neither may have in it. */
function plainMessage({ username = '', password = '' }: SaslOptions, address: string): Buffer {
  if (username.includes('\0') || password.includes('\0')) {
    refuse(address, new Error('PLAIN cannot send a user name or password with a NUL character in it'))
  }
  return Buffer.from(`\0${username}\0${password}`)
}

function handshakeFailure(code: number, wanted: string, offered: readonly string[], address: string): SluiceError {
  const cause = brokerError(code, null, { api: 'SaslHandshake' })
  if (cause.retriable) return cause
  if (classify(code).name === 'UNSUPPORTED_SASL_MECHANISM') {
    const list = shortened(offered.join(', ') || 'none')
    return new AuthenticationError(address, `${address} does not take ${wanted}; it offers ${list}`, cause)
  }
  if (classify(code).name === 'ILLEGAL_SASL_STATE') {
    const message = `${address} does not speak SASL on this listener: leave \`sasl\` out, or use the port of its SASL listener`
    return new AuthenticationError(address, message, cause)
  }
  return new AuthenticationError(address, `${address} refused to begin with ${wanted}: ${cause.apiError}`, cause)
}

/** @throws AuthenticationError always */
function refuse(address: string, why: unknown): never {
  throw new AuthenticationError(address, `the login at ${address} failed: ${messageOf(why)}`, why)
}

/** What a broker says goes into messages: not without end. */
function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
