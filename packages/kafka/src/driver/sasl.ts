import { messageOf } from '@sluice/flow'
import type { ConnectionOptions } from '@platformatic/kafka'
import type { Clock } from '@sluice/flow'
import { TokenError } from '../errors.ts'
import type { SaslOptions } from './connections.ts'

type LibrarySasl = NonNullable<ConnectionOptions['sasl']>

/** Of the time that a connection may take: the rest is for TCP, TLS and the broker's answers. */
const tokenShare = 0.8

/** What the library needs to authenticate one connection. */
export function saslOf(sasl: SaslOptions, address: string, connectTimeoutMs: number, clock: Clock): LibrarySasl {
  const { mechanism, token } = sasl
  if (mechanism !== 'OAUTHBEARER' || token === undefined) return sasl
  return {
    mechanism,
    token: () => tokenInTime(token, address, Math.ceil(connectTimeoutMs * tokenShare), clock),
    // RFC 7628: a broker refuses a token by an answer that is no error but says why; success says nothing.
    authBytesValidator: (answer, done) => {
      if (answer.length === 0) return done(null, answer)
      done(new Error(`the token was refused: ${answer.toString('utf8').slice(0, 200)}`))
    },
  }
}

/** @throws TokenError */
async function tokenInTime(
  token: NonNullable<SaslOptions['token']>,
  address: string,
  timeoutMs: number,
  clock: Clock,
): Promise<string> {
  const late = Promise.withResolvers<never>()
  const timer = clock.setTimeout(
    () => late.reject(new TokenError(address, `the token callback took longer than ${timeoutMs} ms`)),
    timeoutMs,
  )
  try {
    return checked(await Promise.race([asked(token, address), late.promise]), address)
  } finally {
    timer.cancel()
  }
}

async function asked(token: NonNullable<SaslOptions['token']>, address: string): Promise<unknown> {
  try {
    return typeof token === 'string' ? token : await token()
  } catch (error) {
    const why = messageOf(error)
    throw new TokenError(address, `the token callback failed: ${why}`, error)
  }
}

/** The token itself is never shown. */
function checked(token: unknown, address: string): string {
  // RFC 6750: what may stand behind "Bearer".
  if (typeof token === 'string' && /^[\w.~+/-]+=*$/.test(token)) return token
  throw new TokenError(address, 'what the token callback gave is no bearer token')
}
