import { messageOf } from '@sluice/flow/internal'
import { ConnectionError, TokenError } from '../errors.ts'
import type { SaslOptions } from './connect-options.ts'
import type { LoginOptions } from './login-options.ts'

/** Of the time that a connection may take: the rest is for TCP, TLS and the broker's answers. */
const tokenShare = 0.8

/** @throws TokenError */
export async function tokenInTime({ sasl, address, connectTimeoutMs, clock, signal }: LoginOptions): Promise<string> {
  const timeoutMs = Math.ceil(connectTimeoutMs * tokenShare)
  const late = Promise.withResolvers<never>()
  const giveUp = (why: string): void => late.reject(new TokenError(address, why))
  const startedMs = clock.monotonicMs()
  const tooLong = (ms: number): void => giveUp(`the token callback took longer than ${Math.round(ms)} ms`)
  const timer = clock.setTimeout(() => tooLong(timeoutMs), timeoutMs)
  const onAbort = (): void => {
    if (signal.reason instanceof ConnectionError) tooLong(clock.monotonicMs() - startedMs)
    else giveUp('the connection ended before the token callback did')
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return checked(await Promise.race([asked(sasl.token, address), late.promise]), address)
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

async function asked(token: SaslOptions['token'], address: string): Promise<unknown> {
  try {
    return typeof token === 'function' ? await token() : token
  } catch (error) {
    const why = messageOf(error)
    throw new TokenError(address, `the token callback failed: ${why}`, error)
  }
}

/** The token itself is never shown. */
function checked(token: unknown, address: string): string {
  // RFC 6750: what may stand behind "Bearer".
  if (typeof token === 'string' && /^[\w.~+/-]+=*$/.test(token)) return token
  throw new TokenError(address, 'the token callback did not return a bearer token')
}
